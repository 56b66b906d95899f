// Parts of a place that its first page does not carry.
import type { ComponentChildren, ComponentType } from 'preact';
import { useState } from 'preact/hooks';
import { words } from '../words';
import { useScope } from './hooks';
import { showToast } from './Toast';

export type LaterProps<P> = { load: () => Promise<ComponentType<P>>; properties: P; /** In its place until it is there. */ meanwhile?: ComponentChildren };
export type OverProps<P> = LaterProps<P> & { onFailed: () => void };

/** Something that opens over the place, which goes on behind it; its code comes when it is first opened. */
export function Over<P>({ load, properties, onFailed }: OverProps<P>) {
  return useLater(load, properties, () => {
    onFailed();
    showToast({ kind: 'trouble', title: words.common.didNotOpen, line: words.common.pageFailedLine });
  });
}

/** Something that nobody asked for and nobody misses while it is not there. */
export function Later<P>({ load, properties, meanwhile }: LaterProps<P>) {
  return useLater(load, properties, () => undefined) ?? meanwhile ?? null;
}

function useLater<P>(load: () => Promise<ComponentType<P>>, properties: P, failed: () => void) {
  const [loaded, setLoaded] = useState<{ load: () => Promise<ComponentType<P>>; component: ComponentType<P> } | null>(null);
  useScope((until) => {
    load().then(
      (component) => { if (!until.aborted) setLoaded({ load, component }); },
      () => { if (!until.aborted) failed(); },
    );
  }, [load]);
  // Where one stands in the place of another, Preact keeps what that one had: it is not for these properties.
  if (loaded?.load !== load) return null;
  const Component = loaded.component;
  return <Component {...(properties as P & object)} />;
}
