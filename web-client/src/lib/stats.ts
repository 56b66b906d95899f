// Reads a viewer's `getStats` report: cumulative counters in, figures per second out. Pure.
import type { ViewerStats } from './viewer_state';

/** One stats object, as loosely typed as browsers make them. */
export type StatsEntry = { id: string; type: string; timestamp: number } & Record<string, unknown>;

export function entriesOf(report: RTCStatsReport): StatsEntry[] {
  const entries: StatsEntry[] = [];
  report.forEach((entry: StatsEntry) => entries.push(entry));
  return entries;
}

export const numberOf = (entry: StatsEntry | undefined, key: string): number => {
  const value = entry?.[key];
  return typeof value === 'number' ? value : 0;
};
export const maybeNumber = (entry: StatsEntry | undefined, key: string): number | null => {
  const value = entry?.[key];
  return typeof value === 'number' ? value : null;
};
export const textOf = (entry: StatsEntry | undefined, key: string): string | null => {
  const value = entry?.[key];
  return typeof value === 'string' ? value : null;
};

/** The candidate pair in use. Firefox has no `transport` entry and marks the pair itself. */
export function selectedPair(entries: readonly StatsEntry[]): StatsEntry | undefined {
  const id = textOf(entries.find((entry) => entry.type === 'transport'), 'selectedCandidatePairId');
  return entries.find((entry) => entry.type === 'candidate-pair' && (id ? entry.id === id : entry['selected'] === true));
}

/** `udp`, `tcp`, `udp-relay`, `tcp-relay`. */
export function transportOf(entries: readonly StatsEntry[]): string | null {
  const pair = selectedPair(entries);
  const local = entries.find((entry) => entry.id === textOf(pair, 'localCandidateId'));
  if (!local) return null;
  if (textOf(local, 'candidateType') === 'relay') return `${textOf(local, 'relayProtocol') ?? 'udp'}-relay`;
  return textOf(local, 'protocol');
}

export function roundTripMs(entries: readonly StatsEntry[]): number | null {
  const seconds = maybeNumber(selectedPair(entries), 'currentRoundTripTime');
  return seconds === null ? null : seconds * 1000;
}

/** Cumulative counters of the main picture and sound. */
export type InboundSnapshot = {
  atMs: number;
  transport: string | null;
  codec: string | null;
  width: number;
  height: number;
  framesPerSecond: number;
  roundTripMs: number | null;
  videoBytes: number;
  audioBytes: number;
  /** All that came by the path in use, reports included; `null` where the browser does not count it. */
  pathBytes: number | null;
  packets: number;
  packetsLost: number;
  framesDecoded: number;
  framesDropped: number;
  decodeSeconds: number;
  jitterBufferSeconds: number;
  jitterBufferEmitted: number;
  freezes: number;
  frozenSeconds: number;
};

/** The main picture is the one with `videoMid`; audio likewise. Entries without a mid (Firefox) count when nothing else does. */
export function readInbound(entries: readonly StatsEntry[], videoMid: string | null, audioMid: string | null): InboundSnapshot {
  const inbound = (kind: string, mid: string | null): StatsEntry | undefined => {
    const all = entries.filter((entry) => entry.type === 'inbound-rtp' && entry['kind'] === kind);
    return all.find((entry) => entry['mid'] === mid) ?? all.find((entry) => entry['mid'] === undefined);
  };
  const video = inbound('video', videoMid);
  const audio = inbound('audio', audioMid);
  const codec = entries.find((entry) => entry.id === textOf(video, 'codecId'));
  return {
    atMs: (video ?? audio)?.timestamp ?? 0,
    transport: transportOf(entries),
    codec: textOf(codec, 'mimeType')?.replace(/^video\//i, '') ?? null,
    width: numberOf(video, 'frameWidth'),
    height: numberOf(video, 'frameHeight'),
    framesPerSecond: numberOf(video, 'framesPerSecond'),
    roundTripMs: roundTripMs(entries),
    videoBytes: numberOf(video, 'bytesReceived'),
    audioBytes: numberOf(audio, 'bytesReceived'),
    pathBytes: maybeNumber(selectedPair(entries), 'bytesReceived'),
    packets: numberOf(video, 'packetsReceived') + numberOf(audio, 'packetsReceived'),
    packetsLost: numberOf(video, 'packetsLost') + numberOf(audio, 'packetsLost'),
    framesDecoded: numberOf(video, 'framesDecoded'),
    framesDropped: numberOf(video, 'framesDropped'),
    decodeSeconds: numberOf(video, 'totalDecodeTime'),
    jitterBufferSeconds: numberOf(video, 'jitterBufferDelay'),
    jitterBufferEmitted: numberOf(video, 'jitterBufferEmittedCount'),
    freezes: numberOf(video, 'freezeCount'),
    frozenSeconds: numberOf(video, 'totalFreezesDuration'),
  };
}

/** Figures of the time between two snapshots. A counter that went back (a new peer) counts as nothing. */
export function viewerStats(before: InboundSnapshot, now: InboundSnapshot, totalDelayMs: number | null): ViewerStats {
  const seconds = (now.atMs - before.atMs) / 1000;
  const grown = (from: number, to: number): number => Math.max(0, to - from);
  const perSecond = (from: number, to: number): number => (seconds > 0 ? grown(from, to) / seconds : 0);
  const mean = (amount: number, count: number): number | null => (count > 0 ? (amount / count) * 1000 : null);
  const lost = grown(before.packetsLost, now.packetsLost);
  const received = grown(before.packets, now.packets);
  return {
    transport: now.transport,
    codec: now.codec,
    width: now.width,
    height: now.height,
    framesPerSecond: now.framesPerSecond,
    videoBps: perSecond(before.videoBytes, now.videoBytes) * 8,
    audioBps: perSecond(before.audioBytes, now.audioBytes) * 8,
    roundTripMs: now.roundTripMs,
    loss: lost + received > 0 ? lost / (lost + received) : 0,
    jitterBufferMs: mean(grown(before.jitterBufferSeconds, now.jitterBufferSeconds), grown(before.jitterBufferEmitted, now.jitterBufferEmitted)),
    decodeMs: mean(grown(before.decodeSeconds, now.decodeSeconds), grown(before.framesDecoded, now.framesDecoded)),
    freezes: now.freezes,
    frozenMs: now.frozenSeconds * 1000,
    framesDropped: now.framesDropped,
    totalDelayMs,
  };
}
