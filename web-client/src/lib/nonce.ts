// The number by which the server recognises a message that is sent again: unique among those of one person.

/** Below 2^53. */
export function drawNonce(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x1f_ffff) * 2 ** 32 + low;
}
