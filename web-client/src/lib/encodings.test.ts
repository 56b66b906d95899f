import { expect, test } from 'vitest';
import { bitrateFor, callCodecs, callEncodings, codecOrder, encodingsFor, fillEncodings } from './encodings';

test('a large picture has three layers, a middling one two, a small one one; the others are there, last and off', () => {
  expect(encodingsFor(720).map((layer) => [layer.rid, layer.scaleResolutionDownBy, layer.maxBitrate, layer.active])).toEqual([
    ['l', 4, 160_000, true], ['m', 2, 650_000, true], ['h', 1, 2_500_000, true],
  ]);
  const scales = (height: number) => encodingsFor(height).map((layer) => (layer.active ? layer.scaleResolutionDownBy : 'off'));
  expect(scales(480)).toEqual([2, 1, 'off']);
  expect(scales(240)).toEqual([1, 'off', 'off']);
  expect(encodingsFor(240).map((layer) => layer.rid)).toEqual(['l', 'm', 'h']);
});

test('bit rate grows with the picture and stays within the table', () => {
  const rates = [10, 90, 200, 360, 480, 720, 900, 1080, 1440, 2160, 4320].map(bitrateFor);
  expect(rates).toEqual([...rates].sort((a, b) => a - b));
  expect([rates[0], rates.at(-1)]).toEqual([80_000, 14_000_000]);
});

test('H.264 constrained baseline in packetization mode 1 leads, repair formats trail', () => {
  const h264 = (profile: string, mode: number) => ({ mimeType: 'video/H264', sdpFmtpLine: `packetization-mode=${mode};profile-level-id=${profile}` });
  const codecs: Array<{ mimeType: string; sdpFmtpLine?: string }> = [{ mimeType: 'video/VP8' }, { mimeType: 'video/rtx' }, h264('42001f', 1), h264('42e01f', 0), h264('42e01f', 1), { mimeType: 'video/AV1' }];
  expect(codecOrder(codecs).map((codec) => codec.sdpFmtpLine ?? codec.mimeType)).toEqual([
    'packetization-mode=1;profile-level-id=42e01f', 'packetization-mode=1;profile-level-id=42001f', 'packetization-mode=0;profile-level-id=42e01f',
    'video/VP8', 'video/AV1', 'video/rtx',
  ]);
});

test('what rests is not encoded, the smallest and what has no use never change that', () => {
  const sender = encodingsFor(720);
  fillEncodings(sender, encodingsFor(360), (rid) => rid !== 'h');
  expect(sender.map(({ rid, scaleResolutionDownBy, active }) => [rid, scaleResolutionDownBy, active])).toEqual([['l', 2, true], ['m', 1, false], ['h', 1, false]]);
  fillEncodings(sender, encodingsFor(720), (_, index) => index === 2);
  expect(sender.map(({ active }) => active)).toEqual([true, true, false]);
});

test('a face is sent no larger than it is looked at, whatever the camera gives', () => {
  for (const height of [360, 480, 720, 1080]) {
    const sent = callEncodings(height, 'camera', false).filter(({ active }) => active);
    expect(sent.map(({ scaleResolutionDownBy }) => Math.round(height / scaleResolutionDownBy))).toEqual([180, 360]);
  }
  expect(callEncodings(720, 'camera', true).filter(({ active }) => active)).toHaveLength(3);
});

test('a shared screen keeps its lines and stays cheap', () => {
  const sent = callEncodings(1080, 'screen', false);
  expect(sent.at(-1)).toMatchObject({ scaleResolutionDownBy: 1, active: true });
  expect(Math.max(...sent.map(({ maxBitrate }) => maxBitrate))).toBeLessThanOrEqual(1_500_000);
});

test('a call needs few codecs, because its many m-lines would list each of them', () => {
  const h264 = (profile: string, mode: number) => ({ mimeType: 'video/H264', sdpFmtpLine: `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=${profile}` });
  const offered = [{ mimeType: 'video/VP8' }, { mimeType: 'video/rtx' }, { mimeType: 'video/VP9' }, h264('64001f', 1), h264('42e01f', 0), h264('42e01f', 1), { mimeType: 'video/AV1' }];
  expect(callCodecs(offered)).toEqual([h264('42e01f', 1), { mimeType: 'video/VP8' }, { mimeType: 'video/rtx' }]);
});
