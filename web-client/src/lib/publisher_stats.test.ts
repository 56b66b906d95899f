import { expect, test } from 'vitest';
import { publisherHealth, readOutbound } from './publisher_stats';
import type { StatsEntry } from './stats';

function report(second: number): StatsEntry[] {
  const timestamp = 1_000 * second;
  const video = (id: string, rid: string, height: number, bytes: number, limitation: string): StatsEntry => ({
    id, type: 'outbound-rtp', kind: 'video', rid, timestamp, frameWidth: (height * 16) / 9, frameHeight: height, framesPerSecond: 30,
    bytesSent: bytes * second, headerBytesSent: 0, packetsSent: 100 * second, targetBitrate: 1_000_000, active: true,
    qualityLimitationReason: limitation, codecId: 'C', encoderImplementation: 'OpenH264',
  });
  return [
    { id: 'C', type: 'codec', timestamp, mimeType: 'video/H264' },
    video('VL', 'l', 180, 20_000, 'none'),
    video('VH', 'h', 720, 250_000, 'bandwidth'),
    { id: 'A', type: 'outbound-rtp', kind: 'audio', timestamp, bytesSent: 5_000 * second, packetsSent: 50 * second },
    { id: 'R', type: 'remote-inbound-rtp', kind: 'video', timestamp, packetsLost: 5 * second, roundTripTime: 0.031 },
  ];
}

test('health sums everything sent and lists the layers largest first', () => {
  const health = publisherHealth(readOutbound(report(4)), report(5));
  expect(health).toMatchObject({ uploadBps: 2_200_000, framesPerSecond: 30, loss: 0.02, codec: 'h264', encoder: 'OpenH264', limitedBy: 'bandwidth' });
  expect(health.roundTripMs).toBeCloseTo(31, 6);
  expect(health.layers.map((layer) => [layer.rid, layer.bps])).toEqual([['h', 2_000_000], ['l', 160_000]]);
});

test('before the first report loss is unknown, not nought', () => {
  const entries = report(2).filter((entry) => entry.type !== 'remote-inbound-rtp');
  expect(publisherHealth(readOutbound(entries), entries).loss).toBeNull();
});
