// The still of a broadcast: its poster, or a drawn pitch when there is none yet (or it does not load).
import { useState } from 'preact/hooks';
import { posterUrl } from '../lib/api';
import type { BroadcastView } from '../protocol';

export function Poster({ broadcast }: { broadcast: BroadcastView }) {
  const url = posterUrl(broadcast);
  const [failed, setFailed] = useState<string | null>(null);
  // Keyed by broadcast, not by URL: the old poster stays on screen until the new one is decoded.
  if (url !== null && failed !== url) return <img class="still" src={url} alt="" decoding="async" onError={() => setFailed(url)} />;
  return <Pitch seed={broadcast.id} />;
}

/** A pitch seen from above, in one of four turns by the broadcast's id, so that two placeholders side by side differ. */
export function Pitch({ seed }: { seed: string }) {
  const turn = [...seed].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 4;
  return (
    <svg class="still pitch" viewBox="0 0 320 180" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
      <g transform={`rotate(${[-8, 6, 14, -16][turn]} 160 90)`} fill="none" stroke="currentColor" stroke-width="1.5">
        {[0, 2, 4, 6].map((stripe) => <rect key={stripe} x={-40 + stripe * 50} y="-60" width="50" height="300" fill="currentColor" opacity=".05" stroke="none" />)}
        <path d="M160-60v300" />
        <circle cx="160" cy="90" r="34" />
        <circle cx="160" cy="90" r="2" fill="currentColor" />
        <path d="M-10 30h66v120H-10M330 30h-66v120h66M56 70a26 26 0 0 1 0 40M264 70a26 26 0 0 0 0 40" />
      </g>
    </svg>
  );
}
