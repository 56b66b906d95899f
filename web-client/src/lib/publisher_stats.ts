// Reads a publisher's `getStats` report: cumulative counters in, figures per second out. Pure.
import type { Codec } from '../protocol';
import type { Limitation, PublisherHealth, SentLayer } from './publisher_state';
import { type StatsEntry, maybeNumber, numberOf, roundTripMs, selectedPair, textOf, transportOf } from './stats';

export type OutboundSnapshot = { atMs: number; bytes: Map<string, number>; packetsSent: number; packetsLost: number | null };

export function readOutbound(entries: readonly StatsEntry[]): OutboundSnapshot {
  const outbound = entries.filter((entry) => entry.type === 'outbound-rtp');
  const reports = entries.filter((entry) => entry.type === 'remote-inbound-rtp');
  const sum = (from: readonly StatsEntry[], key: string): number => from.reduce((total, entry) => total + numberOf(entry, key), 0);
  return {
    atMs: outbound[0]?.timestamp ?? 0,
    bytes: new Map(outbound.map((entry) => [entry.id, numberOf(entry, 'bytesSent') + numberOf(entry, 'headerBytesSent')])),
    packetsSent: sum(outbound, 'packetsSent'),
    packetsLost: reports.length === 0 ? null : sum(reports, 'packetsLost'),
  };
}

/** Figures of the time between the snapshot before and these entries. `unused`: RIDs that the picture has no use for. */
export function publisherHealth(before: OutboundSnapshot, entries: readonly StatsEntry[], unused: ReadonlySet<string> = new Set()): PublisherHealth {
  const now = readOutbound(entries);
  const seconds = (now.atMs - before.atMs) / 1000;
  const bps = (id: string): number =>
    seconds > 0 ? (Math.max(0, (now.bytes.get(id) ?? 0) - (before.bytes.get(id) ?? 0)) * 8) / seconds : 0;
  const video = entries.filter((entry) => entry.type === 'outbound-rtp' && entry['kind'] === 'video');
  const layers = video.map((entry) => layerOf(entry, bps(entry.id))).filter(({ rid }) => !unused.has(rid)).sort((a, b) => b.height - a.height || b.bps - a.bps);
  const largest = layers.find((layer) => layer.active && layer.bps > 0) ?? layers[0];
  const sent = Math.max(0, now.packetsSent - before.packetsSent);
  const lost = now.packetsLost === null ? null : Math.max(0, now.packetsLost - (before.packetsLost ?? now.packetsLost));
  const available = maybeNumber(selectedPair(entries), 'availableOutgoingBitrate');
  return {
    uploadBps: [...now.bytes.keys()].reduce((total, id) => total + bps(id), 0),
    framesPerSecond: largest?.framesPerSecond ?? 0,
    loss: lost === null ? null : sent > 0 ? Math.min(1, lost / sent) : 0,
    roundTripMs: reportedRoundTripMs(entries) ?? roundTripMs(entries),
    availableBps: available,
    codec: codecOf(entries, video[0]),
    encoder: textOf(video[0], 'encoderImplementation'),
    transport: transportOf(entries),
    limitedBy: layers.find((layer) => layer.limitedBy !== 'none')?.limitedBy ?? 'none',
    layers,
  };
}

function layerOf(entry: StatsEntry, bps: number): SentLayer {
  return {
    rid: textOf(entry, 'rid') ?? '',
    width: numberOf(entry, 'frameWidth'),
    height: numberOf(entry, 'frameHeight'),
    framesPerSecond: numberOf(entry, 'framesPerSecond'),
    bps,
    targetBps: numberOf(entry, 'targetBitrate'),
    active: entry['active'] !== false,
    limitedBy: limitationOf(textOf(entry, 'qualityLimitationReason')),
  };
}

function limitationOf(reason: string | null): Limitation {
  switch (reason) {
    case 'cpu':
    case 'bandwidth':
    case 'other':
      return reason;
    default:
      return 'none';
  }
}

function reportedRoundTripMs(entries: readonly StatsEntry[]): number | null {
  const times = entries.flatMap((entry) => (entry.type === 'remote-inbound-rtp' ? (maybeNumber(entry, 'roundTripTime') ?? []) : []));
  return times.length === 0 ? null : Math.min(...times) * 1000;
}

function codecOf(entries: readonly StatsEntry[], outbound: StatsEntry | undefined): Codec | null {
  const name = textOf(entries.find((entry) => entry.id === textOf(outbound, 'codecId')), 'mimeType')?.split('/')[1]?.toLowerCase();
  return name === 'h264' || name === 'vp8' || name === 'vp9' || name === 'av1' ? name : null;
}
