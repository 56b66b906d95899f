// What a section asks the server for when it is first drawn: asking, there, or failed with a way to ask again.
import { useCallback, useRef, useState } from 'preact/hooks';
import { useScope } from '../ui/hooks';

export type Asked<T> = { kind: 'asking' } | { kind: 'there'; value: T } | { kind: 'failed' };

/** `set` puts in what is known to be so now, without asking. */
export function useAsked<T>(ask: (signal: AbortSignal) => Promise<T>): { asked: Asked<T>; again: () => void; set: (value: T) => void } {
  const [asked, setAsked] = useState<Asked<T>>({ kind: 'asking' });
  const [round, setRound] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;
  useScope((until) => {
    latest.current(until).then(
      (value) => { if (!until.aborted) setAsked({ kind: 'there', value }); },
      () => { if (!until.aborted) setAsked({ kind: 'failed' }); },
    );
  }, [round]);
  const again = useCallback(() => {
    setAsked({ kind: 'asking' });
    setRound((before) => before + 1);
  }, []);
  const set = useCallback((value: T) => setAsked({ kind: 'there', value }), []);
  return { asked, again, set };
}
