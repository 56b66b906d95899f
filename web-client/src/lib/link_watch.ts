// Decides when a media transport is in trouble and what to try next. Pure: time comes in, a decision goes out.
//
// Order of remedies: ICE restart on the same peer, then a whole new peer, again and again with growing pauses. A transport that never
// connects is reported as blocked and tried anew all the same, because networks change.

/** From the offer to ICE and DTLS being up; longer means that the network lets no media through, ms. */
export const CONNECT_LIMIT_MS = 8_000;
/** Packets standing still for this long while there should be media, ms. Audio alone brings 50 a second. */
const STALL_LIMIT_MS = 2_500;
/** Nothing at all coming by the path for this long while there should be media, ms: the path is dead, whatever the publisher does, because the
 * server sends reports every second. Browsers find another path by themselves, but only after about 2.7 s. */
const PATH_SILENCE_LIMIT_MS = 1_500;
/** The interface may say "reconnecting" this long after the last packet, ms. */
const FLOW_LIMIT_MS = 1_500;
/** ICE `disconnected` for this long, ms. It often mends itself sooner. */
const LOST_LIMIT_MS = 2_000;
/** What an ICE restart gets to work, ms. */
const RESTART_LIMIT_MS = 4_000;
/** Longest pause between two new peers, ms. */
const NEW_PEER_CAP_MS = 30_000;

export type LinkReading = {
  /** ICE and DTLS are up. */
  connected: boolean;
  /** The browser reports the transport disconnected or failed. */
  lost: boolean;
  /** Any counter that grows while the other side is there: packets received, or reports about packets sent. */
  progress: number;
  /** A counter that moves with whatever comes by the path, reports included; `null` where the browser does not count that. Another path has
   * another counter. */
  heard: number | null;
  /** Whether the counters should be growing now. */
  expected: boolean;
};

export type LinkAction = 'none' | 'restart_ice' | 'new_peer';

export class LinkWatch {
  #startedAt: number;
  #connectedAt: number | null = null;
  #progress = 0;
  #progressAt: number | null = null;
  #heard: number | null = null;
  #heardAt = 0;
  #expectedSince: number | null = null;
  #lostSince: number | null = null;
  #restartedAt: number | null = null;
  #fruitlessPeers = 0;
  #blocked = false;
  #gone = false;

  constructor(now: number) {
    this.#startedAt = now;
  }

  /** A new peer takes over; what was learnt about the network stays. */
  peerStarted(now: number): void {
    this.#startedAt = now;
    this.#connectedAt = null;
    this.#progress = 0;
    this.#heard = null;
    this.#heardAt = now;
    this.#expectedSince = null;
    this.#lostSince = null;
    this.#restartedAt = null;
    this.#gone = false;
  }

  /** The server says that it no longer has this peer, or would not take it: only a new one helps. */
  peerGone(): void {
    this.#gone = true;
  }

  /** A person asks for another try: what was learnt about the network is forgotten, so that the try is seen as one. */
  tryAfresh(): void {
    this.#blocked = false;
    this.#fruitlessPeers = 0;
  }

  /** Media got through within the last moments. */
  flowing(now: number): boolean {
    return this.#progressAt !== null && now - this.#progressAt < FLOW_LIMIT_MS;
  }

  /** No transport has connected in the time it should take. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Takes in the counter alone: while the server cannot be asked for anything, nothing is decided. */
  observe(now: number, progress: number): void {
    if (progress > this.#progress) {
      this.#progressAt = now;
      this.#fruitlessPeers = 0;
      this.#restartedAt = null;
    }
    this.#progress = progress;
  }

  handle(now: number, reading: LinkReading): LinkAction {
    this.observe(now, reading.progress);
    if (this.#gone) return now - this.#startedAt < this.#pause() ? 'none' : this.#newPeer();
    if (reading.connected) {
      this.#connectedAt ??= now;
      this.#blocked = false;
    }
    if (reading.heard === null || reading.heard !== this.#heard) this.#heardAt = now;
    this.#heard = reading.heard;
    this.#lostSince = reading.lost ? (this.#lostSince ?? now) : null;
    this.#expectedSince = reading.expected && reading.connected ? (this.#expectedSince ?? now) : null;

    if (this.#connectedAt === null) {
      if (now - this.#startedAt < CONNECT_LIMIT_MS + this.#pause()) return 'none';
      this.#blocked = true;
      return this.#newPeer();
    }
    if (!this.#inTrouble(now)) return 'none';
    if (this.#restartedAt === null) {
      this.#restartedAt = now;
      return 'restart_ice';
    }
    return now - this.#restartedAt < RESTART_LIMIT_MS + this.#pause() ? 'none' : this.#newPeer();
  }

  #inTrouble(now: number): boolean {
    if (this.#lostSince !== null && now - this.#lostSince >= LOST_LIMIT_MS) return true;
    if (this.#expectedSince === null) return false;
    const mediaAt = Math.max(this.#expectedSince, this.#progressAt ?? 0);
    // Media may come by another path than the browser's chosen one, which it leaves late.
    return now - Math.max(mediaAt, this.#heardAt) >= PATH_SILENCE_LIMIT_MS || now - mediaAt >= STALL_LIMIT_MS;
  }

  #newPeer(): LinkAction {
    this.#fruitlessPeers += 1;
    return 'new_peer';
  }

  /** Grows with every peer in a row that brought nothing. */
  #pause(): number {
    return this.#fruitlessPeers === 0 ? 0 : Math.min(NEW_PEER_CAP_MS, 1_000 * 2 ** Math.min(this.#fruitlessPeers, 8));
  }
}
