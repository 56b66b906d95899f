// A form's life: checked here, sent, and what came back beside its field. Focus goes to the first field that is wrong; a server that asks to
// wait is not asked before.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { type RequestError, asRequestError } from '../lib/errors';
import { useTick } from '../ui/hooks';
import { type Problems, secondsLeft } from './rules';

export type FormPlan = {
  /** What is wrong before anybody is asked. */
  check: () => Problems;
  /** Rejects with a `RequestError`. */
  send: () => Promise<void>;
  explain: (error: RequestError) => Problems;
};

export type FormState = {
  busy: boolean;
  problems: Problems;
  /** Seconds until the server takes another try; 0: now. */
  waitS: number;
  submit: (event: Event) => void;
  /** The field is being corrected. */
  forget: (field: string) => void;
};

export function useForm({ check, send, explain }: FormPlan): FormState {
  const [busy, setBusy] = useState(false);
  const [problems, setProblems] = useState<Problems>({});
  const [untilMs, setUntilMs] = useState(0);
  const form = useRef<HTMLFormElement | null>(null);
  const alive = useRef(true);
  const waiting = untilMs > Date.now();
  const now = useTick(500, waiting);
  const waitS = secondsLeft(untilMs, Math.max(now, Date.now()));

  useEffect(() => () => { alive.current = false; }, []);
  useLayoutEffect(() => {
    if (Object.keys(problems).length > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [problems]);

  const run = async (): Promise<void> => {
    const found = check();
    setProblems(found);
    if (Object.keys(found).length > 0) return;
    setBusy(true);
    try {
      await send();
    } catch (thrown) {
      if (!alive.current) return;
      const error = asRequestError(thrown);
      setProblems(explain(error));
      if (error.retryAfterMs !== null) setUntilMs(Date.now() + error.retryAfterMs);
    } finally {
      if (alive.current) setBusy(false);
    }
  };

  return {
    busy,
    problems,
    waitS,
    submit: (event) => {
      event.preventDefault();
      form.current = event.currentTarget instanceof HTMLFormElement ? event.currentTarget : null;
      if (!busy && waitS === 0) void run();
    },
    forget: (field) => {
      if (!(field in problems) && !('form' in problems)) return;
      const { [field]: _, form: __, ...rest } = problems;
      setProblems(rest);
    },
  };
}
