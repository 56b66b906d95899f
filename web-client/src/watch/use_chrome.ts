// When the controls over the picture show: on any input, for 2.5 s after the last, and as long as something needs them.
import { useRef, useState } from 'preact/hooks';
import { useScope } from '../ui/hooks';

const LEAVES_AFTER_MS = 2_500;

export type Chrome = {
  shown: boolean;
  /** Someone did something: show, and count anew. */
  stir: () => void;
  /** A press on the picture itself: a finger shows or hides the controls, a mouse does `click`. */
  pressed: (event: MouseEvent, click: () => void) => void;
  listeners: {
    onPointerMove: (event: PointerEvent) => void;
    onPointerDown: (event: PointerEvent) => void;
    onPointerLeave: (event: PointerEvent) => void;
    onFocusIn: () => void;
  };
};

/** `hold`: something is open or stopped, the controls stay. */
export function useChrome(hold: boolean): Chrome {
  const [shown, setShown] = useState(true);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const held = useRef(hold);
  held.current = hold;

  const hideSoon = (ms: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => { if (!held.current) setShown(false); }, ms);
  };
  const stir = () => {
    setShown(true);
    hideSoon(LEAVES_AFTER_MS);
  };

  useScope((until) => {
    stir();
    until.addEventListener('abort', () => clearTimeout(timer.current));
  }, [hold]);

  return {
    shown: shown || hold,
    stir,
    pressed: (event, click) => {
      const touch = event instanceof PointerEvent && event.pointerType === 'touch';
      if (!touch) click();
      else if (shown) hideSoon(0);
      else stir();
    },
    listeners: {
      onPointerMove: (event) => { if (event.pointerType !== 'touch') stir(); },
      // A finger on a control keeps the controls; one on the picture is `pressed`.
      onPointerDown: (event) => { if (event.pointerType !== 'touch' || !(event.target instanceof HTMLVideoElement)) stir(); },
      onPointerLeave: (event) => { if (event.pointerType === 'mouse') hideSoon(600); },
      onFocusIn: stir,
    },
  };
}
