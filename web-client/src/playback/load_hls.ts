// Brings the HLS engine's program, which no first page carries: both its halves at once, because who needs it is waiting.
import { canPlayByItself } from './can_play';
import type { HlsEngine, HlsOptions } from './hls';
import type { MakeHlsPlayer } from './hls_player';

const hasMediaSource = (): boolean => 'MediaSource' in globalThis || 'ManagedMediaSource' in globalThis;

export async function loadHls(options: Omit<HlsOptions, 'make'>): Promise<HlsEngine> {
  const [{ HlsEngine: Engine }, make] = await Promise.all([import('./hls'), playerFor()]);
  return new Engine({ ...options, make });
}

async function playerFor(): Promise<MakeHlsPlayer | null> {
  if (hasMediaSource()) {
    const { HlsJsPlayer, canUseMediaSource } = await import('./hls_js');
    if (canUseMediaSource()) return (options) => new HlsJsPlayer(options);
  }
  if (!canPlayByItself()) return null;
  const { NativeHlsPlayer } = await import('./hls_native');
  return (options) => new NativeHlsPlayer(options);
}
