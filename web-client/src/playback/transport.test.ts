import { describe, expect, it } from 'vitest';
import { type SecondOfLink, STILL_MS } from './link_signs';
import { type Air, CAUGHT_UP_MS, HLS_BESIDE_MS, type Pin, type Plan, STAY_MS, Transport, type TransportReading } from './transport';

const BEAT_MS = 30;
const COUNT_MS = 60;
const FRAME_MS = 33;
const HLS_LATENCY_MS = 1_500;
const START_MS = 250;

/** A viewer on virtual time: what the network and the engines do is set, beats go by, and the plan is looked at. Media time is the clock. */
class World {
  now = 0;
  air: Air = 'on';
  paused = false;
  together = false;
  hasSound = true;
  undecodable = false;
  impossible = false;
  /** How far behind the recording's picture is, and how fast it plays. */
  pastMs = 30_000;
  speed = 1;
  /** The network lets WebRTC through, from `connects` ms after it does. */
  through = true;
  connectsMs = 100;
  /** From being sent a picture to its moving, ms. */
  framesMs = 2 * FRAME_MS;
  hlsStartsMs = START_MS;
  hlsWorks = true;
  /** How far WebRTC's picture is behind, ms: its buffer is grown to HLS's moment at once where the plan says so. */
  bufferMs = 100;
  second: Partial<SecondOfLink> = {};
  states: string[] = [];
  readonly transport: Transport;
  plan!: Plan;
  #throughSince: number | null = 0;
  #cutAt = -Infinity;
  #packets = 0;
  #countedAt = -1;
  #hlsSince: number | null = null;
  #recorded = false;
  #webrtcSince: number | null = null;

  constructor(pin: Pin = 'auto') {
    this.transport = new Transport(0, pin);
  }

  /** Beats for `ms`, or until `done`. */
  go(ms: number, done: () => boolean = () => false): this {
    const end = this.now + ms;
    while (this.now < end && !(this.plan && done())) this.#beat();
    return this;
  }

  /** Beats until the picture comes by `shown`; how long that took. */
  until(shown: Plan['shown'], withinMs = 60_000): number {
    const from = this.now;
    this.go(withinMs, () => this.plan.shown === shown);
    expect(this.plan.shown).toBe(shown);
    return this.now - from;
  }

  cut(): this {
    this.through = false;
    this.#cutAt = this.now;
    return this;
  }

  #beat(): void {
    this.now += BEAT_MS;
    this.#throughSince = this.through ? (this.#throughSince ?? this.now) : null;
    const wanted = !this.plan || this.plan.webrtc !== 'off';
    const isUp = wanted && this.#throughSince !== null && this.now - this.#throughSince >= this.connectsMs;
    const sends = isUp && this.air === 'on' && !this.undecodable;
    if (sends) this.#packets += 2;
    if (this.now - this.#countedAt >= COUNT_MS) this.#countedAt = this.now;
    const drawn = sends && (!this.plan || this.plan.webrtc === 'drawn');
    this.#webrtcSince = drawn ? (this.#webrtcSince ?? this.now) : null;
    // Another playlist begins anew.
    if ((this.plan?.recorded ?? false) !== this.#recorded) this.#hlsSince = null;
    this.#recorded = this.plan?.recorded ?? false;
    const playsHls = this.hlsWorks && (this.air !== 'off' || this.#recorded) && (this.plan?.hls === 'playing' || this.plan?.hls === 'lowest');
    this.#hlsSince = playsHls ? (this.#hlsSince ?? this.now) : null;
    const hlsMoves = this.#hlsSince !== null && this.now - this.#hlsSince >= this.hlsStartsMs;
    if (this.plan?.align && this.plan.shown === 'hls') this.bufferMs = HLS_LATENCY_MS;
    const hlsBehindMs = this.#recorded ? this.pastMs : HLS_LATENCY_MS;
    const buffered = !drawn && this.now - this.#cutAt < this.bufferMs;
    const frozenAt = this.#cutAt + this.bufferMs;
    const reading: TransportReading = {
      air: this.air,
      paused: this.paused,
      together: this.together,
      webrtc: {
        moving: (drawn && this.now - this.#webrtcSince! > this.framesMs) || buffered,
        frozen: !drawn && !buffered,
        mediaMs: drawn || buffered ? this.now - this.bufferMs : frozenAt - this.bufferMs,
        connected: isUp || this.now - this.#cutAt < 3_000,
        packets: this.#packets,
        readAtMs: this.#countedAt,
        expected: this.air === 'on' && !this.undecodable && wanted,
        sound: this.hasSound,
        undecodable: this.undecodable,
        second: drawn || buffered ? { atMs: Math.floor(this.now / 1000) * 1000, loss: 0, roundTripMs: 20, dropped: 0, frozen: false, ...this.second } : null,
      },
      hls: {
        moving: hlsMoves, frozen: !hlsMoves, mediaMs: hlsMoves ? this.now - hlsBehindMs : null, impossible: this.impossible,
        recorded: this.#recorded, behindMs: hlsMoves ? hlsBehindMs : null, speed: this.speed,
      },
    };
    this.plan = this.transport.handle(this.now, reading);
    if (this.states.at(-1) !== this.plan.state) this.states.push(this.plan.state);
  }
}

describe('beginning', () => {
  it('shows WebRTC where it connects, and leaves the network to it at first', () => {
    const world = new World();
    world.go(1_500);
    expect(world.plan).toMatchObject({ shown: 'webrtc', state: 'w_live', hls: 'off', webrtc: 'drawn' });
    world.go(2_000);
    expect(world.plan.hls).toBe('playlist');
  });

  it('starts HLS beside WebRTC that has not connected in time, and shows what is there first', () => {
    const world = new World();
    world.through = false;
    world.go(HLS_BESIDE_MS - BEAT_MS);
    expect(world.plan.hls).toBe('playlist');
    const took = HLS_BESIDE_MS + world.until('hls');
    expect(took).toBeLessThan(HLS_BESIDE_MS + START_MS + 100);
    expect(world.plan.why).toBe('blocked');
  });

  it('leaves HLS that was merely sooner as soon as WebRTC has proved itself', () => {
    const world = new World();
    world.connectsMs = HLS_BESIDE_MS + BEAT_MS;
    world.framesMs = 2 * START_MS;
    world.until('hls');
    expect(world.plan.why).toBe('sooner');
    expect(world.until('webrtc')).toBeLessThan(STAY_MS);
  });

  it('does not begin before there is a broadcast, and counts from then', () => {
    const world = new World();
    world.air = 'off';
    world.through = false;
    world.go(5_000);
    expect(world.plan).toMatchObject({ shown: null, hls: 'off' });
    world.air = 'on';
    world.go(HLS_BESIDE_MS - 2 * BEAT_MS);
    expect(world.plan.hls).toBe('playlist');
    world.until('hls');
  });

  it('asks for HLS all the same when the server says nothing for long', () => {
    const world = new World();
    world.air = 'unknown';
    world.through = false;
    world.go(2_000);
    expect(world.plan.hls).toBe('off');
    world.until('hls', 5_000);
  });

  it('plays by HLS what the browser cannot decode otherwise, and does not try again', () => {
    const world = new World();
    world.undecodable = true;
    world.until('hls');
    world.go(60_000);
    expect(world.plan).toMatchObject({ shown: 'hls', why: 'codec', retryAtMs: null });
  });
});

describe('a cut', () => {
  it('is seen soon, and HLS comes to the front with its first frames', () => {
    const world = new World();
    world.go(10_000).cut();
    const took = world.until('hls');
    expect(took).toBeGreaterThan(STILL_MS);
    expect(took).toBeLessThan(STILL_MS + START_MS + 200);
    expect(world.plan).toMatchObject({ why: 'cut', aligned: false });
  });

  it('that ends before HLS is ready changes nothing', () => {
    const world = new World();
    world.go(10_000);
    world.hlsStartsMs = 2_000;
    world.cut().go(600);
    expect(world.plan.state).toBe('w_cut');
    world.through = true;
    world.connectsMs = 0;
    world.go(3_000);
    expect(world.plan).toMatchObject({ shown: 'webrtc', state: 'w_live' });
    expect(world.states).not.toContain('h_live');
  });

  it('is not seen in one gap that two counts have not confirmed', () => {
    const world = new World();
    world.go(10_000).cut().go(STILL_MS - BEAT_MS);
    world.through = true;
    world.connectsMs = 0;
    world.go(1_000);
    expect(world.states).toEqual(['start', 'w_live']);
  });

  it('of a picture without sound takes longer to believe: a screen may stand still', () => {
    const world = new World();
    world.hasSound = false;
    world.go(10_000).cut().go(1_000);
    expect(world.plan.state).toBe('w_live');
    world.until('hls');
  });

  it('while the buffer is as long as HLS joins the two at the same moment', () => {
    const world = new World();
    world.go(5_000);
    world.second = { loss: 0.05 };
    world.go(5_000);
    expect(world.plan).toMatchObject({ state: 'w_risk', hls: 'lowest', align: true });
    world.bufferMs = HLS_LATENCY_MS;
    world.cut().until('hls');
    expect(world.plan).toMatchObject({ why: 'cut', aligned: true });
  });

  it('of the publisher is none of ours', () => {
    const world = new World();
    world.go(10_000);
    world.air = 'away';
    world.go(20_000);
    world.air = 'on';
    world.go(2_000);
    expect(world.states).toEqual(['start', 'w_live']);
  });

  it('changes nothing while the person has stopped the picture', () => {
    const world = new World();
    world.go(10_000);
    world.paused = true;
    world.cut().go(5_000);
    expect(world.plan.shown).toBe('webrtc');
    world.paused = false;
    world.until('hls');
  });
});

describe('the way back', () => {
  it('is taken at the same moment, once WebRTC has proved itself', () => {
    const world = new World();
    world.go(10_000).cut().until('hls');
    world.go(8_000);
    world.through = true;
    const took = world.until('webrtc');
    expect(took).toBeGreaterThan(2_000);
    expect(took).toBeLessThan(10_000);
    expect(world.plan).toMatchObject({ aligned: true, why: null, hls: 'playlist' });
  });

  it('is longer after each return that did not last, and short again after one that did', () => {
    const world = new World();
    world.go(10_000);
    const stays: number[] = [];
    for (let cuts = 0; cuts < 3; cuts++) {
      world.cut().until('hls');
      world.through = true;
      stays.push(world.until('webrtc', 120_000));
      world.bufferMs = 100;
      world.go(5_000);
    }
    expect(stays[0]).toBeGreaterThan(STAY_MS);
    expect(stays[1]).toBeGreaterThan(2 * STAY_MS);
    expect(stays[2]).toBeGreaterThan(4 * STAY_MS);
    world.go(90_000).cut().until('hls');
    world.through = true;
    expect(world.until('webrtc')).toBeLessThan(2 * STAY_MS);
  });

  it('is given up where it loses packets', () => {
    const world = new World();
    world.go(10_000).cut().until('hls');
    world.second = { loss: 0.2 };
    world.through = true;
    world.go(30_000);
    expect(world.plan.shown).toBe('hls');
    expect(world.states.filter((state) => state === 'w_join').length).toBeGreaterThan(0);
  });

  it('is taken at once, skipping, when the person presses LIVE', () => {
    const world = new World();
    world.go(10_000).cut().until('hls');
    world.through = true;
    world.go(1_000);
    world.bufferMs = 100;
    world.transport.goLive(world.now);
    expect(world.until('webrtc')).toBeLessThan(1_000);
    expect(world.plan.aligned).toBe(false);
  });

  it('is taken when HLS itself stops', () => {
    const world = new World();
    world.go(10_000).cut().until('hls');
    world.through = true;
    world.hlsWorks = false;
    world.go(1_000);
    expect(world.until('webrtc')).toBeLessThan(STAY_MS);
  });
});

describe('trouble that grows', () => {
  it('warms HLS on its lowest rung and is over after a calm minute', () => {
    const world = new World();
    world.go(5_000);
    world.second = { roundTripMs: 400 };
    world.go(4_000);
    expect(world.plan).toMatchObject({ state: 'w_risk', shown: 'webrtc' });
    world.second = {};
    world.go(30_000);
    expect(world.plan.state).toBe('w_risk');
    world.go(35_000);
    expect(world.plan).toMatchObject({ state: 'w_live', hls: 'playlist', align: false });
  });

  it('moves no picture that friends watch together to another moment, and does not play what they do not see', () => {
    const world = new World();
    world.together = true;
    world.go(5_000);
    world.second = { roundTripMs: 400 };
    world.go(4_000);
    expect(world.plan).toMatchObject({ state: 'w_risk', shown: 'webrtc', hls: 'playlist', align: false });
    world.second = { loss: 0.2 };
    world.go(30_000, () => world.plan.state === 'w_leave');
    expect(world.plan).toMatchObject({ hls: 'playing', align: false });
    // Their moment is HLS's own at best by chance: it is not waited for.
    expect(world.until('hls', 30_000)).toBeLessThan(1_000);
    expect(world.plan).toMatchObject({ why: 'loss', align: true });
  });

  it.each([
    ['loss', { loss: 0.2 }],
    ['device', { dropped: 0.5 }],
  ] as const)('moves the picture in the end: %s', (why, second) => {
    const world = new World();
    world.go(5_000);
    world.second = second;
    world.until('hls', 30_000);
    expect(world.plan.why).toBe(why);
  });
});

describe('wishes', () => {
  it('of the person for HLS are met, and WebRTC is given up meanwhile', () => {
    const world = new World();
    world.go(5_000);
    world.transport.setPin(world.now, 'hls');
    world.until('hls');
    world.go(BEAT_MS);
    expect(world.plan).toMatchObject({ why: 'pinned', webrtc: 'off', retryAtMs: null });
    world.go(120_000);
    expect(world.plan.shown).toBe('hls');
    world.transport.goLive(world.now);
    world.go(5_000);
    expect(world.plan.shown).toBe('hls');
    world.transport.setPin(world.now, 'auto');
    expect(world.until('webrtc')).toBeLessThan(6_000);
  });

  it('of the person for WebRTC keep it whatever happens', () => {
    const world = new World('webrtc');
    world.go(5_000);
    expect(world.plan.hls).toBe('off');
    world.cut().go(30_000);
    expect(world.plan).toMatchObject({ shown: 'webrtc', hls: 'off' });
  });

  it('for HLS that is impossible leave everything as it is', () => {
    const world = new World();
    world.impossible = true;
    world.go(5_000);
    world.transport.setPin(world.now, 'hls');
    world.go(5_000);
    expect(world.plan).toMatchObject({ shown: 'webrtc', webrtc: 'drawn', hls: 'off' });
  });

  it('of the node are met before those of the person, until it has room', () => {
    const world = new World();
    world.go(5_000);
    world.transport.setPin(world.now, 'webrtc');
    world.transport.nodeAsks(world.now, 'hls');
    world.until('hls');
    world.go(BEAT_MS);
    expect(world.plan).toMatchObject({ why: 'node', webrtc: 'off' });
    world.transport.nodeAsks(world.now, 'webrtc');
    world.until('webrtc');
  });
});

describe('the past', () => {
  const rewound = (world = new World()) => {
    world.go(5_000);
    world.transport.rewind(world.now);
    world.until('hls');
    return world;
  };

  it('comes to the front with its first frames, and the live picture stands until then', () => {
    const world = new World();
    world.go(5_000);
    world.transport.rewind(world.now);
    world.go(BEAT_MS);
    expect(world.plan).toMatchObject({ state: 'rewinding', shown: 'webrtc', hls: 'playing', recorded: true });
    expect(world.until('hls')).toBeLessThan(START_MS + 100);
    world.go(BEAT_MS);
    expect(world.plan).toMatchObject({ state: 'rewound', why: null, webrtc: 'sound', align: false, retryAtMs: null });
  });

  it('is not shown before it is the recording that moves', () => {
    const world = new World();
    world.go(5_000).cut().until('hls');
    world.go(STAY_MS);
    world.through = true;
    world.until('webrtc');
    world.hlsStartsMs = 1_000;
    world.transport.rewind(world.now);
    expect(world.until('hls')).toBeGreaterThan(900);
  });

  it('is left to the person, whatever the network, the node and the publisher do', () => {
    const world = rewound();
    world.cut().go(30_000);
    world.through = true;
    world.transport.nodeAsks(world.now, 'hls');
    world.go(30_000);
    world.transport.nodeAsks(world.now, 'webrtc');
    world.air = 'away';
    world.go(10_000);
    world.air = 'off';
    world.go(10_000);
    expect(world.plan).toMatchObject({ state: 'rewound', shown: 'hls', hls: 'playing', recorded: true });
  });

  it('goes on after LIVE until WebRTC has frames', () => {
    const world = rewound();
    world.transport.goLive(world.now);
    world.go(BEAT_MS);
    expect(world.plan).toMatchObject({ state: 'w_join', shown: 'hls', recorded: true, webrtc: 'drawn', align: false });
    expect(world.until('webrtc')).toBeLessThan(300);
    expect(world.plan).toMatchObject({ recorded: false, why: null });
  });

  it('gives way to live HLS where WebRTC does not come', () => {
    const world = rewound();
    world.undecodable = true;
    world.transport.goLive(world.now);
    world.go(5_000);
    expect(world.plan).toMatchObject({ state: 'h_live', shown: 'hls', hls: 'playing', recorded: false });
  });

  it('gives way to live HLS where that had carried the picture, or must', () => {
    const world = new World();
    world.through = false;
    world.until('hls');
    world.transport.rewind(world.now);
    world.go(5_000);
    expect(world.plan).toMatchObject({ state: 'rewound', recorded: true });
    world.transport.goLive(world.now);
    world.go(BEAT_MS);
    expect(world.plan).toMatchObject({ state: 'h_live', why: 'blocked', recorded: false });

    const pinned = new World('hls');
    pinned.until('hls');
    pinned.transport.rewind(pinned.now);
    pinned.go(1_000);
    expect(pinned.plan.webrtc).toBe('off');
    pinned.transport.goLive(pinned.now);
    pinned.go(BEAT_MS);
    expect(pinned.plan).toMatchObject({ state: 'h_live', why: 'pinned', recorded: false });
  });

  it('that is played faster ends when it has caught up, and at its own speed never', () => {
    const world = rewound();
    world.pastMs = CAUGHT_UP_MS - 1;
    world.go(10_000);
    expect(world.plan.state).toBe('rewound');
    world.speed = 1.5;
    world.until('webrtc');
  });

  it('that does not come is given up, and WebRTC is still there', () => {
    const world = new World();
    world.go(5_000);
    world.hlsWorks = false;
    world.transport.rewind(world.now);
    world.go(20_000);
    expect(world.plan).toMatchObject({ state: 'w_live', shown: 'webrtc', recorded: false });
  });

  it('is given up by LIVE before it has come', () => {
    const world = new World();
    world.go(5_000);
    world.hlsWorks = false;
    world.transport.rewind(world.now);
    world.go(300);
    world.transport.goLive(world.now);
    world.go(BEAT_MS);
    expect(world.plan).toMatchObject({ state: 'w_live', shown: 'webrtc', recorded: false });
  });

  it('comes under a picture that is stopped, and is all there is of a match that is over', () => {
    const world = new World();
    world.go(5_000);
    world.paused = true;
    world.transport.rewind(world.now);
    world.until('hls');

    const over = new World();
    over.air = 'off';
    over.go(2_000);
    expect(over.plan).toMatchObject({ shown: null, hls: 'off' });
    over.transport.rewind(over.now);
    over.until('hls');
    expect(over.plan.state).toBe('rewound');
  });
});
