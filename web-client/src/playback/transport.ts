// Which of the two engines carries the picture: the one place that decides. Pure: readings and wishes come in, a plan goes out; `session.ts`
// makes the plan true.
//
//   start ──first frame──▶ w_live ──trouble hinted at──▶ w_risk            w: WebRTC on screen
//     │                      │  ▲                          │               h: HLS on screen
//     │                      │  └──────────calm────────────┤
//     │          packets still  wished, lossy, slow, undecodable
//     │                      ▼  ▼                          ▼
//     │                    w_cut, w_leave ──HLS moves──▶ h_live ◀──no good──┐
//     └──HLS was sooner────────────────────────────────▶  │                 │
//                         w_live ◀──same moment── w_join ◀┘ works again ────┘
//
//   any ──a moment of the past──▶ rewinding ──it moves──▶ rewound ──LIVE, caught up──▶ w_join, or h_live where WebRTC is not there
//
// What is rewound is the person's own: no network and no node moves it. It is HLS's engine with the recording's playlist.
//
// The last frame of an engine stays on screen until the other one moves, so a flip never shows black. WebRTC is left at once and come back to
// slowly: each return that does not last doubles the wait before the next.

import { BAD_LOSS, LinkSeconds, type SecondOfLink, Stillness } from './link_signs';

export type EngineName = 'webrtc' | 'hls';
/** What the person has chosen. */
export type Pin = 'auto' | EngineName;
/** Why HLS carries the picture. `sooner`: it had a frame first. `blocked`: WebRTC does not connect. `cut`: its packets stopped. */
export type DownReason = 'sooner' | 'blocked' | 'cut' | 'loss' | 'device' | 'codec' | 'node' | 'pinned';

export type StateKind = 'start' | 'w_live' | 'w_risk' | 'w_cut' | 'w_leave' | 'h_live' | 'w_join' | 'rewinding' | 'rewound';

/** `playlist`: loaded and connected, no media. `lowest`: plays out of sight, the smallest rendition. */
export type Warmth = 'off' | 'playlist' | 'lowest' | 'playing';

export type EngineReading = {
  /** Frames follow one another on its element (or would, if anybody could see them). */
  moving: boolean;
  /** The next frame is overdue: what is on its element stands still. */
  frozen: boolean;
  /** Media time on its element, ms since the Unix epoch. */
  mediaMs: number | null;
};

/** `unknown`: the server has not said yet. `away`: its publisher has gone and may come back. `off`: it has not begun, or is over. */
export type Air = 'unknown' | 'on' | 'away' | 'off';

export type TransportReading = {
  air: Air;
  /** The person has stopped the picture: nothing may move under it. */
  paused: boolean;
  /** The picture is held at a moment that friends have agreed on: it is not moved to another one in case of trouble. */
  together: boolean;
  webrtc: EngineReading & {
    /** ICE and DTLS are up. */
    connected: boolean;
    /** Received so far; another connection may begin anew. */
    packets: number;
    /** When that was read, `performance.now()` ms: two readings of one moment count as one. */
    readAtMs: number;
    /** Whether packets should be coming now. */
    expected: boolean;
    /** Fifty packets of sound a second: silence means something soon. */
    sound: boolean;
    undecodable: boolean;
    second: SecondOfLink | null;
  };
  hls: EngineReading & {
    /** It cannot play this broadcast: turned off, or no picture that this browser decodes. */
    impossible: boolean;
    /** What it plays is the recording. */
    recorded: boolean;
    /** How far the recording's picture is behind the action, ms; `null` where there is none, or nothing to be behind. */
    behindMs: number | null;
    /** How fast the person has it played; 1 as it happened. */
    speed: number;
  };
};

export type Plan = {
  state: StateKind;
  /** `null`: neither has had a frame yet. */
  shown: EngineName | null;
  /** Set while HLS is shown or about to be. */
  why: DownReason | null;
  hls: Warmth;
  /** HLS's engine is to play the recording, not what is live. */
  recorded: boolean;
  /** `off`: no transport at all. `sound`: connected, no picture is sent. */
  webrtc: 'off' | 'sound' | 'drawn';
  /** WebRTC's buffer is to bring its picture to HLS's moment. */
  align: boolean;
  /** The flip to `shown`, if there just was one, joined two pictures of the same moment. */
  aligned: boolean;
  /** Whether WebRTC will be tried again by itself, and not before when (`performance.now()` ms). */
  retryAtMs: number | null;
};

/** ICE gets this long before HLS is started beside it, ms. */
export const HLS_BESIDE_MS = 600;
/** From here on HLS's program is fetched while ICE still tries, ms. */
const HLS_FETCHED_MS = 200;
/** Connected, and yet no frame: HLS is started beside it, ms. */
const NO_FRAME_MS = 2_500;
/** A server that says nothing about the broadcast for this long is asked for HLS all the same, ms. */
const UNKNOWN_MS = 3_000;
/** A publisher who is back gets this long until packets are expected, ms. */
const RETURN_MS = 3_000;
/** A picture that has just begun is left alone with the network for this long, ms. */
const WARM_AFTER_MS = 2_000;
/** Trouble that has not shown for this long is over, ms. */
const CALM_MS = 60_000;
/** Two pictures this far apart are of the same moment, ms: a frame and the grain of a screen. */
const SAME_MOMENT_MS = 40;
/** A picture this much behind would repeat a frame, ms. */
const BEHIND_MS = 8;
/** So far ahead a frozen picture is waited for rather than repeated, ms. */
const WAIT_FOR_FROZEN_MS = 100;
/** A planned way down waits this long for the same moment, ms. */
const LEAVE_LIMIT_MS = 10_000;
/** WebRTC must move well for this long before it is shown again, ms. */
const PROOF_MS = 2_000;
/** After this long beside HLS it need no longer be at the same moment, only not behind, ms. */
const ALIGN_LIMIT_MS = 5_000;
/** After this long it has failed, ms. */
const JOIN_LIMIT_MS = 10_000;
/** Packets of a returning transport that stand still for this long were no return, ms. */
const JOIN_STILL_MS = 700;
const JOIN_LOSS = 0.01;
/** A second and what browsers are late with its figures, ms. */
const WHOLE_SECOND_MS = 1_200;
/** HLS is shown at least this long, ms, doubled by each return that did not last. */
export const STAY_MS = 5_000;
const STAY_MAX_MS = 120_000;
/** A return that lasted so long was one, ms. */
const LASTED_MS = 60_000;
/** HLS that does not move for this long is worse than anything, ms. */
const HLS_STALLED_MS = 3_000;
/** A moment of the past that has shown nothing after this long is given up, ms. */
const REWIND_LIMIT_MS = 15_000;
/** LIVE waits this long for WebRTC's picture before HLS's is live again, ms. */
const LIVE_LIMIT_MS = 3_000;
/** A faster picture this near to the action has caught up, ms: nothing nearer is sure to be recorded. */
export const CAUGHT_UP_MS = 8_000;

export class Transport {
  /** Of the reading that is being handled. */
  #now: number;
  #kind: StateKind = 'start';
  #since: number;
  #shown: EngineName | null = null;
  #why: DownReason | null = null;
  #aligned = false;
  #pin: Pin;
  /** Then this viewer is to be on HLS. */
  #nodeIsFull = false;
  /** The person pressed LIVE: skipping is what they want. */
  #hurried = false;
  /** HLS's engine has the recording until WebRTC takes over. */
  #leavesPast = false;
  /** Why HLS carried the picture before it was rewound. */
  #whyBefore: DownReason | null = null;
  /** Since when there has been something to play. */
  #beganAt: number;
  #graceMs = 0;
  #packets = new Stillness();
  #link = new LinkSeconds();
  #stayMs = STAY_MS;
  #joinAt = 0;
  #cameBackAt: number | null = null;
  #connectedSince: number | null = null;
  #movingSince: number | null = null;
  #hlsMovedAt = 0;
  /** HLS was started beside WebRTC's beginning. */
  #beside = false;
  /** What has been loaded is kept. */
  #wasWarm = false;

  constructor(now: number, pin: Pin = 'auto') {
    this.#now = this.#since = this.#beganAt = now;
    this.#pin = pin;
  }

  get pin(): Pin {
    return this.#pin;
  }

  setPin(now: number, pin: Pin): void {
    this.#pin = pin;
    if (pin === 'hls') return;
    this.#joinAt = now;
    this.#stayMs = STAY_MS;
    this.#hurried = pin === 'webrtc';
  }

  /** The node has no room, or has it again. A pin of the person's does not count against a node without room. */
  nodeAsks(now: number, to: EngineName): void {
    this.#nodeIsFull = to === 'hls';
    if (to === 'webrtc') this.#joinAt = now;
  }

  /** The person wants the live edge, whatever is skipped. */
  goLive(now: number): void {
    this.#now = now;
    if (this.#kind === 'rewinding') this.#giveUpRewinding();
    else if (this.#kind === 'rewound') this.#leavePast();
    if (this.#mustStay) return;
    this.#joinAt = now;
    this.#hurried = true;
  }

  /** The person wants a moment of the past. Which one is the engine's business, and so is another one after it. */
  rewind(now: number): void {
    if (this.#kind === 'rewinding' || this.#kind === 'rewound') return;
    this.#now = now;
    this.#hurried = false;
    this.#leavesPast = false;
    this.#whyBefore = this.#shown === 'hls' ? this.#why : null;
    this.#enter(this.#shown === 'hls' ? 'rewound' : 'rewinding', null);
  }

  handle(now: number, reading: TransportReading): Plan {
    const { webrtc, hls } = reading;
    this.#now = now;
    this.#packets.observe(now, webrtc.packets, webrtc.readAtMs, webrtc.expected && reading.air === 'on' && now - this.#beganAt >= this.#graceMs, webrtc.sound);
    this.#link.observe(now, webrtc.second);
    this.#connectedSince = webrtc.connected ? (this.#connectedSince ?? now) : null;
    this.#movingSince = webrtc.moving ? (this.#movingSince ?? now) : null;
    if (hls.moving || reading.paused) this.#hlsMovedAt = now;
    if (reading.air !== 'on') this.#beganAt = this.#hlsMovedAt = now;
    this.#graceMs = reading.air === 'away' ? RETURN_MS : this.#graceMs;
    this.#aligned = false;
    // A picture that is stopped is nobody's to exchange; a broadcast without a publisher has none.
    // The past is there whoever publishes.
    const ofPast = this.#kind === 'rewinding' || (this.#kind === 'rewound' && !reading.paused);
    if (ofPast || (!reading.paused && (reading.air === 'on' || reading.air === 'unknown'))) this.#decide(now, reading);
    return this.#plan(now, reading);
  }

  #decide(now: number, reading: TransportReading): void {
    switch (this.#kind) {
      case 'start': this.#start(reading); break;
      case 'w_live': this.#watchLive(now, reading); break;
      case 'w_risk': this.#watchRisk(now, reading); break;
      case 'w_cut': this.#watchCut(reading); break;
      case 'w_leave': this.#watchLeave(now, reading); break;
      case 'h_live': this.#watchHls(now, reading); break;
      case 'w_join': this.#watchJoin(now, reading); break;
      case 'rewinding': this.#watchRewinding(now, reading); break;
      case 'rewound': this.#watchPast(reading); break;
    }
  }

  #start({ webrtc, hls }: TransportReading): void {
    if (webrtc.moving && !this.#mustStay) this.#show('webrtc', 'w_live', null);
    else if (hls.moving) this.#toHls(this.#staysWhy ?? (webrtc.undecodable ? 'codec' : webrtc.connected ? 'sooner' : 'blocked'), false);
  }

  #watchLive(now: number, reading: TransportReading): void {
    if (this.#leaves(reading)) return;
    if (this.#link.hinted) this.#enter('w_risk');
    else if (this.#cameBackAt !== null && now - this.#cameBackAt > LASTED_MS) this.#stayMs = STAY_MS;
  }

  #watchRisk(now: number, reading: TransportReading): void {
    if (this.#leaves(reading)) return;
    if (this.#link.calmFor(now) > CALM_MS) this.#enter('w_live');
    else if (this.#link.heavy) this.#leave('loss');
    else if (this.#link.deviceBehind) this.#leave('device');
  }

  /** What makes WebRTC be left without further ado. */
  #leaves({ webrtc, hls }: TransportReading): boolean {
    if (this.#pin === 'webrtc' && !this.#nodeIsFull) return false;
    const wished = this.#staysWhy;
    if (wished && !hls.impossible) this.#leave(wished);
    else if (webrtc.undecodable) this.#leave('codec');
    else if (this.#packets.stopped) this.#enter('w_cut', 'cut');
    else return false;
    return true;
  }

  #leave(why: DownReason): void {
    this.#enter('w_leave', why);
  }

  #watchCut({ webrtc, hls }: TransportReading): void {
    if (!this.#packets.still) {
      this.#enter('w_live', null);
      return;
    }
    if (!hls.moving) return;
    const ahead = difference(webrtc, hls);
    if (!webrtc.frozen) {
      // Its buffer still plays: there is time until the moment is the same, if it ever is.
      if (ahead !== null && Math.abs(ahead) <= SAME_MOMENT_MS) this.#down(true);
    } else if (ahead === null || ahead <= 0 || ahead > WAIT_FOR_FROZEN_MS) {
      this.#down(ahead !== null && Math.abs(ahead) <= SAME_MOMENT_MS);
    }
  }

  #watchLeave(now: number, { webrtc, hls, together }: TransportReading): void {
    const wish = this.#staysWhy;
    const forced = this.#why === 'pinned' || this.#why === 'node' || this.#why === 'codec';
    if (forced && this.#why !== 'codec' && (wish === null || hls.impossible)) this.#enter('w_live', null);
    else if (wish !== null) this.#why = wish;
    if (this.#kind !== 'w_leave' || !hls.moving) return;
    const ahead = difference(webrtc, hls);
    const same = ahead !== null && Math.abs(ahead) <= SAME_MOMENT_MS;
    if (same || forced || together || this.#packets.stopped || now - this.#since > LEAVE_LIMIT_MS) this.#down(same);
  }

  #down(aligned: boolean): void {
    this.#toHls(this.#why ?? 'cut', aligned);
  }

  #toHls(why: DownReason, aligned: boolean): void {
    this.#show('hls', 'h_live', why);
    this.#aligned = aligned;
    // WebRTC that was merely slower has failed at nothing.
    if (why === 'sooner') this.#joinAt = this.#now;
    else this.#wait(this.#now);
  }

  #watchHls(now: number, { webrtc }: TransportReading): void {
    const wish = this.#staysWhy;
    if (wish) {
      this.#why = wish;
      return;
    }
    if (this.#why === 'pinned' || this.#why === 'node') {
      // What held it there holds it no longer; the transport has yet to be made.
      this.#why = 'sooner';
      this.#joinAt = now;
    }
    if (this.#why === 'codec' && !this.#hurried) return;
    const stalled = now - this.#hlsMovedAt > HLS_STALLED_MS;
    if (this.#works(now, webrtc) && (now >= this.#joinAt || stalled)) {
      this.#hurried ||= stalled;
      this.#enter('w_join');
    }
  }

  #works(now: number, webrtc: TransportReading['webrtc']): boolean {
    if (this.#connectedSince === null) return false;
    return webrtc.expected ? this.#packets.flowsFor(now) > 0 : now - this.#connectedSince > JOIN_STILL_MS;
  }

  #watchJoin(now: number, reading: TransportReading): void {
    const { webrtc, hls } = reading;
    const wish = this.#staysWhy;
    if (wish) {
      this.#leavesPast = false;
      this.#enter('h_live', wish);
      return;
    }
    if (this.#hurried) {
      if (webrtc.moving) this.#up(now, false);
      else if (now - this.#since > (this.#leavesPast ? LIVE_LIMIT_MS : JOIN_LIMIT_MS)) this.#joinFailed(now);
      return;
    }
    // A second that lies wholly within its movement; the ones before tell of what was lost while it was away.
    const loss = this.#movingSince !== null && webrtc.second !== null && webrtc.second.atMs - this.#movingSince > WHOLE_SECOND_MS ? webrtc.second.loss : null;
    if (!webrtc.connected || this.#packets.stillFor(now) > JOIN_STILL_MS || (loss ?? 0) > BAD_LOSS || now - this.#since > JOIN_LIMIT_MS) {
      this.#joinFailed(now);
      return;
    }
    const proven = this.#movingSince !== null && now - this.#movingSince >= PROOF_MS && loss !== null && loss <= JOIN_LOSS;
    if (!proven) return;
    const ahead = difference(webrtc, hls);
    const same = ahead !== null && ahead > -BEHIND_MS && ahead <= SAME_MOMENT_MS;
    const overdue = now - this.#since > ALIGN_LIMIT_MS && (ahead === null || ahead > -SAME_MOMENT_MS);
    if (same || overdue) this.#up(now, same);
  }

  #watchRewinding(now: number, { hls }: TransportReading): void {
    if (hls.recorded && hls.moving) this.#show('hls', 'rewound', null);
    else if (hls.impossible || now - this.#since > REWIND_LIMIT_MS) this.#giveUpRewinding();
  }

  #giveUpRewinding(): void {
    this.#enter(this.#shown === null ? 'start' : 'w_live', null);
    this.#packets.forget(this.#now);
  }

  #watchPast({ air, hls }: TransportReading): void {
    const caughtUp = hls.recorded && hls.speed > 1 && hls.behindMs !== null && hls.behindMs < CAUGHT_UP_MS;
    if (air === 'on' && caughtUp) this.goLive(this.#now);
  }

  /** To the edge: WebRTC where it is there, the recording going on until it moves; else what HLS has live. */
  #leavePast(): void {
    this.#hlsMovedAt = this.#now;
    this.#leavesPast = !this.#mustStay && this.#connectedSince !== null && this.#whyBefore !== 'codec';
    this.#enter(this.#leavesPast ? 'w_join' : 'h_live', this.#staysWhy ?? this.#whyBefore ?? 'sooner');
  }

  #up(now: number, aligned: boolean): void {
    this.#leavesPast = false;
    this.#show('webrtc', 'w_live', null);
    this.#aligned = aligned;
    this.#cameBackAt = now;
    this.#hurried = false;
    this.#packets.forget(now);
    this.#link.forget();
  }

  #joinFailed(now: number): void {
    this.#hurried = false;
    this.#leavesPast = false;
    this.#enter('h_live', this.#why ?? 'cut');
    this.#wait(now);
  }

  #wait(now: number): void {
    this.#joinAt = now + this.#stayMs;
    this.#stayMs = Math.min(STAY_MAX_MS, this.#stayMs * 2);
  }

  #show(engine: EngineName, kind: StateKind, why: DownReason | null): void {
    this.#shown = engine;
    this.#enter(kind, why);
  }

  #enter(kind: StateKind, why: DownReason | null = this.#why): void {
    this.#kind = kind;
    this.#why = why;
    this.#since = this.#now;
  }

  /** What holds the picture on HLS whatever the network does. */
  get #staysWhy(): DownReason | null {
    if (this.#nodeIsFull) return 'node';
    return this.#pin === 'hls' ? 'pinned' : null;
  }
  get #mustStay(): boolean {
    return this.#staysWhy !== null;
  }

  #plan(now: number, reading: TransportReading): Plan {
    const isPast = this.#kind === 'rewinding' || this.#kind === 'rewound';
    const hls = reading.hls.impossible || (reading.air === 'off' && !isPast) ? 'off' : this.#warmth(now, reading);
    const staysOnHls = this.#kind === 'h_live' || this.#kind === 'rewound';
    this.#wasWarm ||= hls !== 'off';
    return {
      state: this.#kind,
      shown: this.#shown,
      why: this.#why,
      hls,
      recorded: isPast || this.#leavesPast,
      webrtc: this.#mustStay && (staysOnHls || this.#kind === 'start') && !reading.hls.impossible ? 'off' : staysOnHls ? 'sound' : 'drawn',
      align: this.#kind === 'h_live' || (this.#kind === 'w_join' && !this.#hurried) || (this.#awaitsTrouble && !reading.together),
      aligned: this.#aligned,
      retryAtMs: this.#kind === 'h_live' && !this.#mustStay && this.#why !== 'codec' ? this.#joinAt : null,
    };
  }

  /** WebRTC's picture, on screen, is to be where HLS's is when trouble comes. */
  get #awaitsTrouble(): boolean {
    return this.#kind === 'w_risk' || (this.#kind === 'w_leave' && (this.#why === 'loss' || this.#why === 'device'));
  }

  #warmth(now: number, { air, webrtc, together }: TransportReading): Warmth {
    const onlyWebrtc = this.#pin === 'webrtc' && !this.#nodeIsFull;
    switch (this.#kind) {
      case 'start': {
        if (onlyWebrtc) return 'off';
        const waited = now - this.#beganAt;
        if (air === 'unknown' && !this.#mustStay) return now - this.#since >= UNKNOWN_MS ? 'playing' : 'off';
        // Once begun it runs on until one of them has a frame: WebRTC that connects has none yet.
        this.#beside ||= this.#mustStay || webrtc.undecodable || waited >= (webrtc.connected ? NO_FRAME_MS : HLS_BESIDE_MS);
        if (this.#beside) return 'playing';
        return webrtc.connected || waited < HLS_FETCHED_MS ? 'off' : 'playlist';
      }
      case 'w_live':
        if (onlyWebrtc) return 'off';
        if (this.#packets.still) return 'playing';
        return this.#wasWarm || now - this.#since >= WARM_AFTER_MS ? 'playlist' : 'off';
      case 'w_risk':
        if (onlyWebrtc) return 'off';
        return this.#packets.still ? 'playing' : together ? 'playlist' : 'lowest';
      case 'w_cut': case 'w_leave': case 'h_live': case 'w_join': case 'rewinding': case 'rewound': return 'playing';
    }
  }
}

/** How far WebRTC's picture is ahead of HLS's, ms. */
function difference(webrtc: EngineReading, hls: EngineReading): number | null {
  return webrtc.mediaMs === null || hls.mediaMs === null ? null : webrtc.mediaMs - hls.mediaMs;
}
