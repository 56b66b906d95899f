// The media side of watching: the current peer, its tracks, its clocks. Exchanges peers without ever emptying the stream on screen.
import type { Slot } from '../protocol';
import { type ClockMap, MediaClock, mediaTimeOf } from './media_time';
import { MediaPeer } from './peer';
import type { Share } from './connection';

/** Receive-only pairs in the first offer: the broadcast and one guest, so that a guest needs no renegotiation. */
const RESERVED_PAIRS = 2;
/** An old transport is kept this long at most while the new one gets its first media, ms. */
const HANDOVER_LIMIT_MS = 5_000;

/** What shares the peer with the match: the m-lines of a call, of somebody on air. */
export type Lodger = {
  /** Another connection, before its first offer: its m-lines go in behind ours. */
  moveIn: (connection: RTCPeerConnection) => void;
  /** What the receiving m-lines of `connection` carry, whole. */
  slots: (connection: RTCPeerConnection, slots: readonly Slot[]) => void;
};

export class ViewerPicture {
  readonly stream = new MediaStream();
  /** Whoever is on air beside the main picture: the tracks of the `guest` slots, none while there are none. */
  readonly guest = new MediaStream();
  readonly clock = new MediaClock();
  readonly #client: Pick<Share, 'request' | 'iceServers'>;
  #peer: MediaPeer | null = null;
  #old: { peer: MediaPeer; timer: ReturnType<typeof setTimeout> } | null = null;
  #clocks = new Map<string, ClockMap>();
  #slots: Slot[] = [];
  readonly #lodgers = new Set<Lodger>();

  constructor(client: Pick<Share, 'request' | 'iceServers'>, lifetime: AbortSignal) {
    this.#client = client;
    lifetime.addEventListener('abort', () => this.close(), { once: true });
  }

  get hasPeer(): boolean {
    return this.#peer !== null;
  }
  get connection(): RTCPeerConnection | null {
    return this.#peer?.connection ?? null;
  }
  get peerId(): string | null {
    return this.#peer?.id ?? null;
  }
  get connected(): boolean {
    return this.#peer?.connected ?? false;
  }
  get lost(): boolean {
    return this.#peer?.lost ?? false;
  }
  get videoMid(): string | null {
    return this.#main('video')?.mid ?? null;
  }
  /** Of whoever is on air; `null`: nobody is. */
  get guestMid(): string | null {
    return this.#slots.find(({ kind, source }) => kind === 'video' && source === 'guest')?.mid ?? null;
  }
  get audioMid(): string | null {
    return this.#main('audio')?.mid ?? null;
  }

  receiver(kind: 'audio' | 'video'): RTCRtpReceiver | null {
    return this.#main(kind)?.receiver ?? null;
  }

  isCurrent(peer: string): boolean {
    return peer === this.peerId;
  }
  owns(peer: string): boolean {
    return this.isCurrent(peer) || peer === this.#old?.peer.id;
  }
  isMainVideo(peer: string, mid: string): boolean {
    return this.isCurrent(peer) && mid === this.videoMid;
  }

  /** A new peer beside the current one, which goes once the new one has media. Rejects with a `RequestError`. */
  async connect(): Promise<void> {
    this.#retire();
    const peer = new MediaPeer(this.#client.iceServers);
    for (let pair = 0; pair < RESERVED_PAIRS; pair++) {
      peer.connection.addTransceiver('video', { direction: 'recvonly' });
      peer.connection.addTransceiver('audio', { direction: 'recvonly' });
    }
    const own = peer.connection.getReceivers();
    for (const lodger of this.#lodgers) lodger.moveIn(peer.connection);
    this.#peer = peer;
    this.#clocks = new Map();
    this.#slots = [];
    this.clock.reset();
    if (this.stream.getTracks().length === 0) this.#show(peer);
    for (const receiver of own) {
      receiver.track.addEventListener('unmute', () => this.#show(peer), { once: true });
    }
    await peer.negotiate(this.#client, 'view');
  }

  /** Keeps the peer, finds a new way to it. */
  async restartIce(): Promise<void> {
    await this.#peer?.negotiate(this.#client, 'view', { restartIce: true });
  }

  /** Shares the peer, this one and those to come, until `until` aborts. */
  lodge(lodger: Lodger, until: AbortSignal): void {
    this.#lodgers.add(lodger);
    until.addEventListener('abort', () => this.#lodgers.delete(lodger), { once: true });
    if (this.#peer) lodger.slots(this.#peer.connection, this.#slots);
  }

  /** Lodgers have changed their m-lines. Rejects with a `RequestError`. */
  async offerAnew(): Promise<void> {
    await this.#peer?.offerAnew(this.#client, 'view');
  }

  setSlots(peer: string, slots: readonly Slot[]): void {
    if (!this.isCurrent(peer) || !this.#peer) return;
    this.#slots = [...slots];
    this.#useClock();
    this.#showGuest(this.#peer);
    for (const lodger of this.#lodgers) lodger.slots(this.#peer.connection, this.#slots);
    // Before media came from elsewhere the order of the m-lines was the best guess.
    if (this.stream.getTracks().some((track) => this.#peer?.connection.getReceivers().some((receiver) => receiver.track === track))) this.#show(this.#peer);
  }

  setClock(peer: string, mid: string, map: ClockMap): void {
    if (!this.isCurrent(peer)) return;
    this.#clocks.set(mid, map);
    this.#useClock();
  }

  /** What was last handed to the element, and when (`performance.now()`): for hidden tabs, where no frame callback comes. */
  lastDelivered(): { mediaMs: number; atMs: number } | null {
    const delivered = (['video', 'audio'] as const).flatMap((kind) => {
      const transceiver = this.#main(kind);
      const map = this.#clocks.get(transceiver?.mid ?? '');
      const source = transceiver?.receiver.getSynchronizationSources()[0];
      return map && source ? [{ mediaMs: mediaTimeOf(map, source.rtpTimestamp), atMs: source.timestamp - performance.timeOrigin }] : [];
    });
    // A picture that nobody sees is not sent; the sound goes on.
    return delivered.sort((a, b) => b.atMs - a.atMs)[0] ?? null;
  }

  /** Gives the transport up, and says so: the server need not find out. */
  leave(): void {
    const id = this.peerId;
    this.close();
    if (id) this.#client.request('close_peer', { peer: id }).catch(() => undefined);
  }

  close(): void {
    this.#closeOld();
    this.#peer?.close();
    this.#peer = null;
  }

  #useClock(): void {
    this.clock.setMap(this.#clocks.get(this.videoMid ?? '') ?? null);
  }

  #main(kind: 'audio' | 'video'): RTCRtpTransceiver | undefined {
    const all = this.#peer?.connection.getTransceivers().filter((transceiver) => transceiver.receiver.track.kind === kind) ?? [];
    const slot = this.#slots.find((candidate) => candidate.kind === kind && candidate.source === 'main');
    return slot ? all.find((transceiver) => transceiver.mid === slot.mid) : all[0];
  }

  /** Puts the main tracks of `peer` on screen, the new ones before the old ones go. */
  #show(peer: MediaPeer): void {
    if (peer !== this.#peer) return;
    const tracks = [this.#main('video'), this.#main('audio')].flatMap((transceiver) => (transceiver ? [transceiver.receiver.track] : []));
    const before = this.stream.getTracks();
    for (const track of tracks) if (!before.includes(track)) this.stream.addTrack(track);
    for (const track of before) if (!tracks.includes(track)) this.stream.removeTrack(track);
    this.#closeOld();
  }

  #showGuest({ connection }: MediaPeer): void {
    const mids = new Set(this.#slots.flatMap(({ mid, source }) => (source === 'guest' ? [mid] : [])));
    const tracks = connection.getTransceivers().flatMap(({ mid, receiver }) => (mid !== null && mids.has(mid) ? [receiver.track] : []));
    for (const track of this.guest.getTracks()) if (!tracks.includes(track)) this.guest.removeTrack(track);
    for (const track of tracks) if (!this.guest.getTracks().includes(track)) this.guest.addTrack(track);
  }

  #retire(): void {
    if (!this.#peer) return;
    this.#closeOld();
    const peer = this.#peer;
    this.#old = { peer, timer: setTimeout(() => this.#closeOld(), HANDOVER_LIMIT_MS) };
  }

  #closeOld(): void {
    if (!this.#old) return;
    const { peer, timer } = this.#old;
    clearTimeout(timer);
    this.#old = null;
    peer.close();
    // The server would find out by itself, after 30 s of silence. A refusal means that it has.
    if (peer.id) this.#client.request('close_peer', { peer: peer.id }).catch(() => undefined);
  }
}
