// What a call, or being on air, puts into the viewer's peer: two m-lines that send, and those on which friends come. No DOM.
//
// M-lines are added once and kept: what is over sends nothing and is offered as inactive, and the next call takes them up again. Which member a
// receiving m-line carries is the server's to say, at any time and always as a whole (`slots`).
import { type ReadonlySignal, batch, signal } from '@preact/signals';
import { backoffMs } from '../lib/backoff';
import { type PictureKind, callCodecs, callEncodings, fillEncodings } from '../lib/encodings';
import { type RequestError, asRequestError } from '../lib/errors';
import type { ViewerSession } from '../lib/viewer';
import type { MemberId, Slot } from '../protocol';

/** Faces that are received unless every one is wished: what more there are take turns by who speaks. */
export const FACES = 4;
/** The most there can be: twelve have pictures. */
export const FACES_MAX = 11;
/** Voices are received in steps, so that not every newcomer needs an offer. */
const VOICE_STEPS = [4, 8, 11] as const;
/** A voice: Opus in mono is transparent for speech here, bits per second. */
const VOICE_BPS = 40_000;
/** Of a picture whose size is not known yet, lines. */
const ASSUMED_LINES = 360;
/** Faces that are moved elsewhere in the page are drawn anew within this, ms: they are not stopped for it. */
const MOVES_WITHIN_MS = 1_000;
/** The protocol counts lines in 16 bits. */
const LINES_MAX = 65_535;

export type Sent = { video: MediaStreamTrack | null; audio: MediaStreamTrack | null; kind: PictureKind };
/** One sound that is received: always the same stream of the same m-line, whoever it carries. */
export type Voice = { mid: string; stream: MediaStream; member: MemberId | null };
export type MediaReason = 'call' | 'air';
/** What is needed of the viewer's session. */
export type MediaSession = Pick<ViewerSession, 'client' | 'peer' | 'lodge' | 'offerAnew' | 'keepMedia'>;

const NOTHING: Sent = { video: null, audio: null, kind: 'camera' };

export class CallMedia {
  readonly #session: MediaSession;
  readonly #lifetime: AbortSignal;
  readonly #pictures = signal<ReadonlyMap<MemberId, MediaStream>>(new Map());
  readonly #voices = signal<readonly Voice[]>([]);
  readonly #problem = signal<RequestError | null>(null);
  readonly #reasons = new Set<MediaReason>();
  readonly #streams = new Map<MediaStreamTrack, MediaStream>();
  /** Lines of each drawing of a member's picture; none are left when nobody draws it any more. */
  readonly #drawn = new Map<MemberId, Map<object, number>>();
  #undrawn: ReturnType<typeof setTimeout> | undefined;
  #isHidden = false;
  /** By m-line: of whom what was told last. */
  #told = new Map<string, string>();
  #connection: RTCPeerConnection | null = null;
  #own: { video: RTCRtpTransceiver; audio: RTCRtpTransceiver } | null = null;
  #faceLines: RTCRtpTransceiver[] = [];
  #voiceLines: RTCRtpTransceiver[] = [];
  #faces = FACES;
  #others = 0;
  #slots: readonly Slot[] = [];
  #sent = NOTHING;
  /** Layers that the server has no use for now. It counts from the moment that we begin to send, and so do we. */
  #unwatched: ReadonlySet<string> = new Set();
  #isStale = false;
  #isOffering = false;
  #tuned = Promise.resolve();

  constructor(session: MediaSession, lifetime: AbortSignal) {
    this.#session = session;
    this.#lifetime = lifetime;
    session.lodge({ moveIn: (connection) => this.#moveIn(connection), slots: (connection, slots) => this.#heard(connection, slots) }, lifetime);
    session.client.listen((event) => {
      if (event.type !== 'unwatched' || event.peer !== session.peer || this.#reasons.size === 0) return;
      this.#unwatched = new Set(event.rids);
      void this.#tune();
    }, lifetime);
    lifetime.addEventListener('abort', () => {
      clearTimeout(this.#undrawn);
      this.#reasons.clear();
      this.#quiet();
      session.keepMedia(false);
    }, { once: true });
  }

  /** The pictures that are received now, by whose they are. */
  get pictures(): ReadonlySignal<ReadonlyMap<MemberId, MediaStream>> {
    return this.#pictures;
  }
  get voices(): ReadonlySignal<readonly Voice[]> {
    return this.#voices;
  }
  /** Nothing is sent, for whatever reason. */
  get isIdle(): boolean {
    return this.#reasons.size === 0;
  }
  /** Why friends are neither seen nor heard, where the server has refused what was offered. */
  get problem(): ReadonlySignal<RequestError | null> {
    return this.#problem;
  }

  /** From now on this person sends, and (in a call) receives. The server has allowed it before. */
  enter(reason: MediaReason): void {
    this.#reasons.add(reason);
    this.#problem.value = null;
    const before = this.#live;
    this.#session.keepMedia(true);
    const connection = this.#live;
    // A peer that is begun just now carries everything in its first offer.
    if (!connection || connection !== before) return;
    this.#addLines(connection);
    void this.#offer();
  }

  /** Nothing is sent for this reason any more. */
  leave(reason: MediaReason): void {
    const wasThere = this.#reasons.delete(reason);
    if (reason === 'call') {
      this.#drawn.clear();
      this.#show([]);
    }
    if (this.#reasons.size > 0) {
      if (wasThere) void this.#tune();
      return;
    }
    if (!wasThere) {
      // It was suspended: nothing of ours is agreed upon, and the peer was kept for the way back.
      this.#session.keepMedia(false);
      return;
    }
    this.#quiet();
    void this.#offer().finally(() => { if (this.#reasons.size === 0) this.#session.keepMedia(false); });
  }

  /** The session was lost with what it allowed: what another peer offers first carries nothing of ours until `enter`. */
  suspend(): void {
    this.#reasons.clear();
    this.#show([]);
  }

  /** What goes out, or would: takes effect without an offer. */
  send(sent: Sent): void {
    this.#sent = sent;
    void this.#fill();
  }

  /** How many others there are, and whether every face is wished or only those that speak. */
  want(others: number, isEveryFace: boolean): void {
    this.#others = others;
    this.#faces = isEveryFace ? Math.max(FACES, Math.min(FACES_MAX, others)) : FACES;
    if (this.#live && this.#reasons.has('call') && this.#addReceiving(this.#live)) void this.#offer();
  }

  /** The lines of a member's picture that `drawing` has on screen, in device pixels; 0 while nobody sees it. The largest of all drawings counts. */
  drawn(member: MemberId, lines: number, drawing: object): void {
    const drawings = this.#drawn.get(member) ?? new Map<object, number>();
    this.#drawn.set(member, drawings.set(drawing, lines));
    this.#tellSizes();
  }

  /** `drawing` is gone: a picture that has no other soon is not sent. */
  undrawn(member: MemberId, drawing: object): void {
    if (!this.#drawn.get(member)?.delete(drawing)) return;
    clearTimeout(this.#undrawn);
    this.#undrawn = setTimeout(() => this.#tellSizes(), MOVES_WITHIN_MS);
  }

  /** Nobody draws any face, those included that never were. */
  hide(hidden: boolean): void {
    this.#isHidden = hidden;
    this.#tellSizes();
  }

  /** `null`: there is none, or it was given up. */
  get #live(): RTCPeerConnection | null {
    return this.#connection?.signalingState === 'closed' ? null : this.#connection;
  }

  #moveIn(connection: RTCPeerConnection): void {
    this.#adopt(connection);
    if (this.#reasons.size > 0) this.#addLines(connection);
  }

  #adopt(connection: RTCPeerConnection): void {
    this.#connection = connection;
    this.#own = null;
    this.#faceLines = [];
    this.#voiceLines = [];
    this.#streams.clear();
    this.#slots = [];
    this.#told = new Map();
    this.#unwatched = new Set();
  }

  #heard(connection: RTCPeerConnection, slots: readonly Slot[]): void {
    if (connection !== this.#connection) this.#adopt(connection);
    this.#slots = slots;
    if (this.#reasons.has('call')) this.#show(slots);
  }

  #show(slots: readonly Slot[]): void {
    const memberAt = new Map(slots.flatMap(({ mid, source }) => {
      const member = /^member:(\d+)$/.exec(source)?.[1];
      return member === undefined ? [] : [[mid, Number(member)] as const];
    }));
    const pictures = new Map<MemberId, MediaStream>();
    for (const { mid, receiver } of this.#faceLines) {
      const member = memberAt.get(mid ?? '');
      if (member !== undefined) pictures.set(member, this.#streamOf(receiver.track));
    }
    const voices = this.#voiceLines.flatMap(({ mid, receiver }): Voice[] => (
      mid === null ? [] : [{ mid, stream: this.#streamOf(receiver.track), member: memberAt.get(mid) ?? null }]
    ));
    batch(() => {
      this.#pictures.value = pictures;
      this.#voices.value = voices;
    });
    this.#tellSizes();
  }

  /** An element that shows a track keeps it: a track that is taken out of its element and put back is late by as long as it was away. */
  #streamOf(track: MediaStreamTrack): MediaStream {
    const known = this.#streams.get(track) ?? new MediaStream([track]);
    this.#streams.set(track, known);
    return known;
  }

  #addLines(connection: RTCPeerConnection): void {
    if (this.#own) {
      this.#own.video.direction = this.#own.audio.direction = 'sendonly';
    } else {
      const video = connection.addTransceiver('video', { direction: 'sendonly', sendEncodings: this.#encodings() });
      prefer(video, globalThis.RTCRtpSender?.getCapabilities('video')?.codecs);
      this.#own = { video, audio: connection.addTransceiver('audio', { direction: 'sendonly', sendEncodings: [{ maxBitrate: VOICE_BPS }] }) };
    }
    if (this.#reasons.has('call')) this.#addReceiving(connection);
    void this.#fill();
  }

  /** Whether there are more than before. */
  #addReceiving(connection: RTCPeerConnection): boolean {
    const voices = VOICE_STEPS.find((step) => step >= this.#others) ?? FACES_MAX;
    const before = this.#faceLines.length + this.#voiceLines.length;
    while (this.#faceLines.length < this.#faces) {
      const face = connection.addTransceiver('video', { direction: 'recvonly' });
      prefer(face, globalThis.RTCRtpReceiver?.getCapabilities('video')?.codecs);
      this.#faceLines.push(face);
    }
    while (this.#voiceLines.length < voices) this.#voiceLines.push(connection.addTransceiver('audio', { direction: 'recvonly' }));
    return this.#faceLines.length + this.#voiceLines.length > before;
  }

  /** Sends nothing, and says so with the next offer. */
  #quiet(): void {
    this.#unwatched = new Set();
    if (!this.#own || !this.#live) return;
    for (const transceiver of [this.#own.video, this.#own.audio]) {
      transceiver.direction = 'inactive';
      // Refused by a peer that is closing.
      transceiver.sender.replaceTrack(null).catch(() => undefined);
    }
  }

  async #fill(): Promise<void> {
    if (!this.#own || this.#reasons.size === 0) return;
    const { video, audio } = this.#own;
    await Promise.all([video.sender.replaceTrack(this.#sent.video), audio.sender.replaceTrack(this.#sent.audio)]).catch(() => undefined);
    await this.#tune();
  }

  #encodings() {
    const { video, kind } = this.#sent;
    return callEncodings(video?.getSettings().height ?? ASSUMED_LINES, kind, this.#reasons.has('air'));
  }

  /** One after the other: a browser refuses what overlaps. */
  #tune(): Promise<void> {
    this.#tuned = this.#tuned.then(async () => {
      const sender = this.#own?.video.sender;
      if (!sender || !this.#sent.video) return;
      const parameters = sender.getParameters();
      const wanted = this.#encodings();
      fillEncodings(parameters.encodings, wanted, (rid) => this.#unwatched.has(rid));
      parameters.degradationPreference = this.#sent.kind === 'screen' ? 'maintain-resolution' : 'balanced';
      await sender.setParameters(parameters).catch(() => undefined);
    });
    return this.#tuned;
  }

  /** Until what there is has been agreed upon. Another peer brings everything in its first offer. */
  async #offer(): Promise<void> {
    this.#isStale = true;
    if (this.#isOffering) return;
    this.#isOffering = true;
    for (let attempt = 0; this.#isStale && !this.#lifetime.aborted; attempt++) {
      this.#isStale = false;
      const connection = this.#connection;
      try {
        await this.#session.offerAnew();
        this.#problem.value = null;
        this.#show(this.#reasons.has('call') ? this.#slots : []);
        attempt = 0;
      } catch (thrown) {
        if (connection !== this.#connection) continue;
        const error = asRequestError(thrown);
        if (!error.retryable) {
          this.#problem.value = error;
          break;
        }
        this.#isStale = true;
        await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, Math.random())));
      }
    }
    this.#isOffering = false;
  }

  #tellSizes(): void {
    const { peer } = this.#session;
    if (peer === null) return;
    for (const { mid, kind, source } of this.#slots) {
      const member = /^member:(\d+)$/.exec(source)?.[1];
      const lines = member === undefined || kind !== 'video' ? null : this.#linesOf(Number(member));
      if (lines === null || this.#told.get(mid) === `${member} ${lines}`) continue;
      this.#told.set(mid, `${member} ${lines}`);
      this.#session.client.tell({ type: 'view_size', peer, mid, height: Math.min(lines, LINES_MAX) });
    }
  }

  /** `null`: not known yet; whoever has just come is about to be drawn. */
  #linesOf(member: MemberId): number | null {
    if (this.#isHidden) return 0;
    const drawings = this.#drawn.get(member);
    return drawings ? Math.max(0, ...drawings.values()) : null;
  }
}

function prefer(transceiver: RTCRtpTransceiver, codecs: RTCRtpCodec[] | undefined): void {
  const few = callCodecs(codecs ?? []);
  if (few.length > 0 && 'setCodecPreferences' in transceiver) transceiver.setCodecPreferences(few);
}
