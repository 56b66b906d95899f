import { describe, expect, it } from 'vitest';
import { spokenLength } from '../rewind_words';
import type { BroadcastView, Marker } from '../protocol';
import { previewAt, previewsOf } from './previews';
import { formatPlace, momentOf, shareOf, spanOf, ticksOf } from './seek';

const live = { state: 'live', started_at_ms: 1_000_000, dvr: { window_s: 600 } } as BroadcastView;

describe('the bar', () => {
  it('reaches from the beginning to the action, and no further back than is kept', () => {
    expect(spanOf(live, null, 1_100_000)).toEqual({ fromMs: 1_000_000, toMs: 1_100_000 });
    expect(spanOf(live, { fromMs: 1_002_000, toMs: 1_096_000 }, 1_100_000)).toEqual({ fromMs: 1_002_000, toMs: 1_100_000 });
    expect(spanOf(live, { fromMs: 1_002_000, toMs: 1_096_000 }, 3_000_000)).toEqual({ fromMs: 2_400_000, toMs: 3_000_000 });
  });

  it('has a length from the first moment on', () => {
    const { fromMs, toMs } = spanOf(live, null, 1_000_100);
    expect(toMs - fromMs).toBeGreaterThan(1_000);
  });

  it('is the whole of what is over', () => {
    const over = { state: 'ended', started_at_ms: 1_000_000, ended_at_ms: 1_500_000 } as BroadcastView;
    expect(spanOf(over, null, 9_000_000)).toEqual({ fromMs: 1_000_000, toMs: 1_500_000 });
    expect(spanOf(over, { fromMs: 1_002_000, toMs: 1_498_000 }, 9_000_000)).toEqual({ fromMs: 1_002_000, toMs: 1_498_000 });
  });

  it('says where a moment is, and which one is where', () => {
    const span = { fromMs: 1_000, toMs: 3_000 };
    expect([shareOf(span, 2_000), shareOf(span, 0), shareOf(span, 9_000)]).toEqual([0.5, 0, 1]);
    expect([momentOf(span, 0.5), momentOf(span, -1), momentOf(span, 2)]).toEqual([2_000, 1_000, 3_000]);
  });

  it('shows moments in order, and none that has not been on screen', () => {
    const marker = (id: string, media_time_ms: number) => ({ id, kind: 'goal', label: id, media_time_ms }) as Marker;
    const markers = [marker('late', 2_900), marker('b', 2_000), marker('a', 1_500), marker('gone', 500)];
    expect(ticksOf(markers, { fromMs: 1_000, toMs: 3_000 }, 2_500).map(({ id }) => id)).toEqual(['a', 'b']);
  });
});

describe('preview pictures', () => {
  const cue = (second: string, place: string) => `\n2026-11-27T18:00:${second}.000Z\n00:00:00.000 --> 00:00:10.000\nthumbs/t1-2.jpg#xywh=${place}\n`;
  const previews = previewsOf(`WEBVTT\n${cue('00', '0,0,160,90')}${cue('10', '160,0,160,90')}${cue('20', 'nonsense')}`, '/hls/x');
  const at = (second: string) => Date.parse(`2026-11-27T18:00:${second}.000Z`);

  it('are read from the list, and what cannot be read is passed over', () => {
    expect(previews).toEqual([
      { atMs: at('00'), sheet: '/hls/x/thumbs/t1-2.jpg', x: 0, y: 0, width: 160, height: 90 },
      { atMs: at('10'), sheet: '/hls/x/thumbs/t1-2.jpg', x: 160, y: 0, width: 160, height: 90 },
    ]);
  });

  it('stand for what is near to them and for nothing else', () => {
    expect(previewAt(previews, at('08'))?.x).toBe(160);
    expect(previewAt(previews, at('55'))).toBeNull();
  });
});

describe('words', () => {
  it.each([[0, '0 seconds'], [1_000, '1 second'], [130_000, '2 minutes 10 seconds'], [120_000, '2 minutes'], [3_725_000, '1 hour 2 minutes']])('%d ms are %s', (ms, words) => {
    expect(spokenLength(ms)).toBe(words);
  });
  it.each([[0, '0:00'], [724_900, '12:04'], [3_753_000, '1:02:33']])('%d ms are %s', (ms, place) => expect(formatPlace(ms)).toBe(place));
});
