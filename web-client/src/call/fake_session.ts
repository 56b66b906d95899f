// For tests: a viewer's session whose peer is made by hand, with the server's end of its conversation.
import { signal } from '@preact/signals';
import { RequestError } from '../lib/errors';
import type { SignalingEvent } from '../lib/signaling';
import type { Lodger } from '../lib/viewer_picture';
import type { CallAsk, CallMember, CallView, ClientMessage, OnAirAsk, ServerMessage, Slot } from '../protocol';
import type { CallSession } from './call';

export const member = (id: number, changes: Partial<CallMember> = {}): CallMember => ({
  id, user: `user${id}`, name: `Name ${id}`, guest: false, microphone: true, camera: true, screen: false, silenced: false, in_step: true, here: true,
  link: 'good', ...changes,
});

export const callOf = (members: CallMember[], changes: Partial<CallView> = {}): CallView => ({
  id: 'call', broadcast: 'match', started_at_ms: 0, host: 1, members, ringing: [], play: { at: 'live' }, ...changes,
});

/** An m-line that remembers what was done to it. */
export class FakeTransceiver {
  mid: string | null = null;
  readonly receiver: { track: MediaStreamTrack };
  replaced: (MediaStreamTrack | null)[] = [];
  readonly sender = {
    replaceTrack: async (track: MediaStreamTrack | null) => { this.replaced.push(track); },
    getParameters: () => ({ encodings: this.encodings.map((encoding) => ({ ...encoding })) }),
    setParameters: async ({ encodings }: { encodings: RTCRtpEncodingParameters[] }) => { this.encodings = encodings; },
  };
  constructor(readonly kind: string, public direction: string, public encodings: RTCRtpEncodingParameters[]) {
    this.receiver = { track: { kind } as MediaStreamTrack };
  }
  get sends(): MediaStreamTrack | null {
    return this.replaced.at(-1) ?? null;
  }
  /** The names of the layers that are encoded. */
  get layers(): (string | undefined)[] {
    return this.encodings.filter(({ active }) => active).map(({ rid }) => rid);
  }
}

export class FakeConnection {
  signalingState = 'stable';
  readonly transceivers: FakeTransceiver[] = [];
  addTransceiver(kind: string, { direction, sendEncodings = [] }: { direction: string; sendEncodings?: RTCRtpEncodingParameters[] }): FakeTransceiver {
    const transceiver = new FakeTransceiver(kind, direction, sendEncodings);
    this.transceivers.push(transceiver);
    return transceiver;
  }
  of(kind: string, direction: string): FakeTransceiver[] {
    return this.transceivers.filter((one) => one.kind === kind && one.direction === direction);
  }
}

type Answered = Extract<ServerMessage, { type: 'call_entered' | 'call_link' | 'done' }>;

export class FakeCallSession {
  readonly seat = signal<number | null>(1);
  readonly state = signal<{ kind: 'open' | 'waiting' }>({ kind: 'open' });
  asked: (CallAsk | OnAirAsk)[] = [];
  told: ClientMessage[] = [];
  kept: boolean[] = [];
  offers = 0;
  connection: FakeConnection | null = new FakeConnection();
  answer: (ask: CallAsk) => Answered = () => ({ type: 'done', id: 1 });
  offerFails: RequestError | null = null;
  peer: string | null = 'peer';
  #lodger: Lodger | null = null;
  readonly #listeners: ((event: SignalingEvent) => void)[] = [];

  readonly client = {
    state: this.state,
    listen: (listener: (event: SignalingEvent) => void) => { this.#listeners.push(listener); },
    request: async (_: string, { ask }: { ask: CallAsk | OnAirAsk }) => {
      this.asked.push(ask);
      return this.answer(ask as CallAsk);
    },
    tell: (message: ClientMessage) => { this.told.push(message); },
  };

  serverNow = (): number => 1_000_000;
  keepMedia = (kept: boolean): void => { this.kept.push(kept); };
  lodge = (lodger: Lodger): void => {
    this.#lodger = lodger;
    if (this.connection) this.slots([]);
  };
  offerAnew = async (): Promise<void> => {
    this.offers += 1;
    if (this.offerFails) throw this.offerFails;
    this.#agree();
  };

  /** As the call takes it. */
  get as(): CallSession {
    return this as unknown as CallSession;
  }

  say(event: SignalingEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
  slots(slots: Slot[]): void {
    this.#lodger?.slots(this.connection as unknown as RTCPeerConnection, slots);
  }
  /** Another peer, whose first offer is agreed upon at once. */
  reconnect(): FakeConnection {
    this.connection = new FakeConnection();
    this.#lodger?.moveIn(this.connection as unknown as RTCPeerConnection);
    this.#agree();
    return this.connection;
  }
  #agree(): void {
    this.connection?.transceivers.forEach((transceiver, index) => { transceiver.mid ??= String(index + 4); });
  }
}
