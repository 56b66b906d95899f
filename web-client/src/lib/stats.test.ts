import { expect, test } from 'vitest';
import { type StatsEntry, readInbound, viewerStats } from './stats';

function report(second: number): StatsEntry[] {
  const timestamp = 1_000 * second;
  return [
    { id: 'T', type: 'transport', timestamp, selectedCandidatePairId: 'P' },
    { id: 'P', type: 'candidate-pair', timestamp, localCandidateId: 'L', currentRoundTripTime: 0.024 },
    { id: 'L', type: 'local-candidate', timestamp, protocol: 'udp', candidateType: 'host' },
    { id: 'C', type: 'codec', timestamp, mimeType: 'video/H264' },
    {
      id: 'V', type: 'inbound-rtp', kind: 'video', mid: '0', timestamp, codecId: 'C', frameWidth: 1280, frameHeight: 720, framesPerSecond: 30,
      bytesReceived: 250_000 * second, packetsReceived: 180 * second, packetsLost: 20 * second, framesDecoded: 30 * second,
      totalDecodeTime: 0.12 * second, jitterBufferDelay: 1.5 * second, jitterBufferEmittedCount: 30 * second, framesDropped: 1,
      freezeCount: 2, totalFreezesDuration: 0.5,
    },
    { id: 'G', type: 'inbound-rtp', kind: 'video', mid: '2', timestamp, bytesReceived: 9e9, packetsReceived: 9e9 },
    { id: 'A', type: 'inbound-rtp', kind: 'audio', mid: '1', timestamp, bytesReceived: 8_000 * second },
  ];
}

test('figures per second come from the main m-lines alone', () => {
  const stats = viewerStats(readInbound(report(1), '0', '1'), readInbound(report(2), '0', '1'), 210);
  expect(stats).toMatchObject({
    transport: 'udp', codec: 'H264', width: 1280, height: 720, framesPerSecond: 30, videoBps: 2_000_000, audioBps: 64_000, roundTripMs: 24,
    loss: 0.1, freezes: 2, frozenMs: 500, framesDropped: 1, totalDelayMs: 210,
  });
  expect(stats.jitterBufferMs).toBeCloseTo(50, 6);
  expect(stats.decodeMs).toBeCloseTo(4, 6);
});

test('a new peer with smaller counters gives no negative figures', () => {
  const stats = viewerStats(readInbound(report(9), '0', '1'), readInbound(report(10).map((entry) => ({ ...entry, bytesReceived: 1 })), '0', '1'), null);
  expect(stats.videoBps).toBe(0);
});

test('an empty report gives nothing and does not throw', () => {
  const empty = readInbound([], null, null);
  expect(viewerStats(empty, empty, null)).toMatchObject({ transport: null, codec: null, videoBps: 0, loss: 0, jitterBufferMs: null });
});
