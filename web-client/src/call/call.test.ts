import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestError } from '../lib/errors';
import type { CallAsk, Slot } from '../protocol';
import { Call } from './call';
import { type Capture, CallDevices } from './devices';
import { FakeCallSession, callOf, member } from './fake_session';

let life: AbortController;
let session: FakeCallSession;
let call: Call;

class FakeTrack extends EventTarget {
  enabled = true;
  stopped = false;
  constructor(readonly kind: string) {
    super();
  }
  stop(): void {
    this.stopped = true;
  }
  getSettings(): object {
    return { height: 360 };
  }
}
class FakeStream {
  constructor(readonly tracks: unknown[] = []) {}
}
const opened: FakeTrack[] = [];
const open = async (kind: string): Promise<MediaStreamTrack> => {
  const track = new FakeTrack(kind);
  opened.push(track);
  return track as unknown as MediaStreamTrack;
};
const capture: Capture = {
  openCamera: () => open('video'), openVoice: () => open('audio'), openScreen: async () => ({ video: await open('video'), audio: null }),
  listDevices: async () => ({ cameras: [], microphones: [] }),
};
const settle = () => vi.advanceTimersByTimeAsync(0);
const asks = (kind: CallAsk['ask']) => session.asked.filter(({ ask }) => ask === kind);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('MediaStream', FakeStream);
  opened.length = 0;
  life = new AbortController();
  session = new FakeCallSession();
  session.answer = (ask) => (ask.ask === 'start' || ask.ask === 'join' ? { type: 'call_entered', id: 1, member: 1, call: callOf([member(1), member(2)]) } : { type: 'done', id: 1 });
  call = new Call(session.as, life.signal, new CallDevices(life.signal, capture));
});
afterEach(() => {
  life.abort();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

async function entered(): Promise<void> {
  await call.devices.turnCamera(true);
  await call.devices.openMicrophone();
  await call.enter({ kind: 'start', ring: ['ben'] });
  await settle();
}

test('who starts a call rings friends, sends on two m-lines, receives on more, and says what it sends', async () => {
  await entered();
  expect(asks('start')).toEqual([{ ask: 'start', ring: ['ben'] }]);
  expect(call.phase.value).toEqual({ kind: 'in' });
  const { connection } = session;
  expect(connection?.of('video', 'sendonly')).toHaveLength(1);
  expect(connection?.of('audio', 'sendonly')).toHaveLength(1);
  expect(connection?.of('video', 'recvonly')).toHaveLength(4);
  expect(connection?.of('audio', 'recvonly')).toHaveLength(4);
  expect(connection?.of('video', 'sendonly')[0]?.sends).toBe(opened[0]);
  expect(session.offers).toBe(1);
  expect(asks('present')).toEqual([{ ask: 'present', microphone: true, camera: true, screen: false }]);
});

test('slots say whose each m-line is, at any time, and a voice keeps its stream', async () => {
  await entered();
  const face = session.connection!.of('video', 'recvonly')[0]!;
  const voice = session.connection!.of('audio', 'recvonly')[0]!;
  session.slots([{ mid: face.mid!, kind: 'video', source: 'member:2' }, { mid: voice.mid!, kind: 'audio', source: 'member:2' }, { mid: '0', kind: 'video', source: 'main' }]);
  const picture = call.media.pictures.value.get(2);
  expect(picture).toMatchObject({ tracks: [face.receiver.track] });
  const { stream } = call.media.voices.value[0]!;
  expect(call.media.voices.value.map(({ member: whose }) => whose)).toEqual([2, null, null, null]);
  session.slots([{ mid: face.mid!, kind: 'video', source: 'member:3' }, { mid: voice.mid!, kind: 'audio', source: 'member:3' }]);
  expect(call.media.pictures.value.has(2)).toBe(false);
  expect(call.media.pictures.value.get(3)).toBe(picture);
  expect(call.media.voices.value[0]).toMatchObject({ stream, member: 3 });
});

test('how large a face is drawn is told once for each m-line that carries it', async () => {
  await entered();
  const [first, second] = session.connection!.of('video', 'recvonly');
  call.media.drawn(2, 190, {});
  session.slots([{ mid: first!.mid!, kind: 'video', source: 'member:2' }]);
  session.slots([{ mid: first!.mid!, kind: 'video', source: 'member:2' }]);
  session.slots([{ mid: second!.mid!, kind: 'video', source: 'member:2' }]);
  expect(session.told.filter(({ type }) => type === 'view_size')).toEqual([first, second].map((line) => ({ type: 'view_size', peer: 'peer', mid: line!.mid, height: 190 })));
});

test('layers of a camera that nobody looks at rest until somebody does, the smallest never, and whoever begins anew sends them all', async () => {
  await entered();
  const own = () => session.connection!.of('video', 'sendonly')[0]!;
  expect(own().layers).toEqual(['l', 'm']);
  session.say({ type: 'unwatched', peer: 'another', rids: ['m'] });
  await settle();
  expect(own().layers).toEqual(['l', 'm']);
  session.say({ type: 'unwatched', peer: 'peer', rids: ['l', 'm'] });
  await settle();
  expect(own().layers).toEqual(['l']);
  // A camera that goes off and on is the same source to the server.
  await call.devices.turnCamera(false);
  await call.devices.turnCamera(true);
  await settle();
  expect(own().layers).toEqual(['l']);
  session.say({ type: 'unwatched', peer: 'peer', rids: [] });
  await settle();
  expect(own().layers).toEqual(['l', 'm']);
  session.say({ type: 'unwatched', peer: 'peer', rids: ['m'] });
  await settle();
  session.reconnect();
  await settle();
  expect(own().layers).toEqual(['l', 'm']);
  session.say({ type: 'unwatched', peer: 'peer', rids: ['m'] });
  await settle();
  call.leave();
  await settle();
  session.say({ type: 'unwatched', peer: 'peer', rids: ['m'] });
  await entered();
  expect(own().layers).toEqual(['l', 'm']);
});

test('more friends than voices bring more m-lines, once', async () => {
  await entered();
  session.say({ type: 'call', call: callOf([1, 2, 3, 4, 5, 6, 7].map((id) => member(id))) });
  await settle();
  expect(session.connection?.of('audio', 'recvonly')).toHaveLength(8);
  expect(session.connection?.of('video', 'recvonly')).toHaveLength(4);
  expect(session.offers).toBe(2);
  call.isEveryFace.value = true;
  await settle();
  expect(session.connection?.of('video', 'recvonly')).toHaveLength(6);
  session.say({ type: 'call', call: callOf([1, 2, 3].map((id) => member(id))) });
  await settle();
  expect(session.offers).toBe(3);
});

test('leaving lets the devices go, sends nothing, and gives the transport back; the next call takes the same m-lines', async () => {
  await entered();
  call.leave();
  await settle();
  expect(call.phase.value).toEqual({ kind: 'over', why: 'left' });
  expect(asks('leave')).toHaveLength(1);
  expect(opened.every(({ stopped }) => stopped)).toBe(true);
  expect(session.connection?.of('video', 'inactive')[0]?.sends).toBeNull();
  expect(session.kept).toEqual([true, false]);
  const lines = session.connection!.transceivers.length;
  call.forget();
  await entered();
  expect(session.connection?.transceivers).toHaveLength(lines);
  expect(session.connection?.of('video', 'sendonly')).toHaveLength(1);
});

test('another peer carries everything in its first offer', async () => {
  await entered();
  const fresh = session.reconnect();
  expect(fresh.of('video', 'sendonly')).toHaveLength(1);
  expect(fresh.of('audio', 'recvonly')).toHaveLength(4);
  await settle();
  expect(fresh.of('video', 'sendonly')[0]?.sends).toBe(opened[0]);
  expect(session.offers).toBe(1);
});

test('a session that is lost offers nothing of the call until it is entered again', async () => {
  await entered();
  session.seat.value = null;
  session.say({ type: 'welcome', resumed: false } as never);
  expect(call.phase.value).toEqual({ kind: 'away' });
  const fresh = session.reconnect();
  expect(fresh.transceivers).toHaveLength(0);
  session.seat.value = 2;
  await settle();
  expect(asks('join')).toEqual([{ ask: 'join', call: 'call' }]);
  expect(call.phase.value).toEqual({ kind: 'in' });
  expect(fresh.of('video', 'sendonly')).toHaveLength(1);
  expect(asks('present')).toHaveLength(2);
});

test('a call that cannot be entered says why, and one that is gone meanwhile is lost', async () => {
  session.answer = () => { throw new RequestError('full', 'twelve are in', false); };
  await call.enter({ kind: 'join', call: 'call', invitation: 's' });
  expect(asks('join')).toEqual([{ ask: 'join', call: 'call', invitation: 's' }]);
  expect(call.phase.value).toMatchObject({ kind: 'refused', error: { code: 'full' } });
});

test('the host silences: the switch is off, and the person may turn it on again', async () => {
  await entered();
  session.say({ type: 'call', call: callOf([member(1, { silenced: true }), member(2)]) });
  expect(call.devices.isMicrophoneOn.value).toBe(false);
  expect(opened.find(({ kind }) => kind === 'audio')?.enabled).toBe(false);
  expect(call.news.value).toEqual([{ kind: 'silenced' }]);
  call.devices.isMicrophoneOn.value = true;
  session.say({ type: 'call', call: callOf([member(1, { silenced: true }), member(2)]) });
  expect(call.devices.isMicrophoneOn.value).toBe(true);
  expect(asks('present').map((ask) => (ask as { microphone: boolean }).microphone)).toEqual([true, false, true]);
});

test('who speaks and is listened to counts, the loudest first, and nobody for ever', async () => {
  await entered();
  session.say({ type: 'call', call: callOf([1, 2, 3].map((id) => member(id))) });
  session.say({ type: 'call_speaking', member: 1, speaking: true, level_dbov: 5 });
  expect(call.speaker.value).toBeNull();
  session.say({ type: 'call_speaking', member: 2, speaking: true, level_dbov: 40 });
  session.say({ type: 'call_speaking', member: 3, speaking: true, level_dbov: 20 });
  expect(call.speaker.value?.id).toBe(3);
  call.setVolume('user3', 0);
  expect(call.speaker.value?.id).toBe(2);
  await vi.advanceTimersByTimeAsync(16_000);
  expect(call.speaker.value).toBeNull();
});

test('in step the picture is held where everybody is, out of step nowhere', async () => {
  await entered();
  session.say({ type: 'call_paced', behind_ms: 420 });
  expect(call.targetMs.value).toBe(420);
  session.say({ type: 'call_played', by: 2, play: { at: 'behind', behind_ms: 45_000 } });
  expect(call.targetMs.value).toBe(45_000);
  session.say({ type: 'call', call: callOf([member(1, { in_step: false }), member(2)]) });
  expect(call.targetMs.value).toBeNull();
});

test('a screen takes the place of the camera and gives it back; a camera that is off is free', async () => {
  await entered();
  await call.devices.shareScreen(true);
  await settle();
  const [own] = session.connection!.of('video', 'sendonly');
  expect(own?.sends).toBe(opened[2]);
  expect(asks('present').at(-1)).toMatchObject({ camera: false, screen: true });
  await call.devices.shareScreen(false);
  await settle();
  expect(own?.sends).toBe(opened[0]);
  await call.devices.turnCamera(false);
  await settle();
  expect(opened[0]?.stopped).toBe(true);
  expect(own?.sends).toBeNull();
});

test('a device that is pulled out is replaced in mid-call', async () => {
  await entered();
  opened[1]?.dispatchEvent(new Event('ended'));
  await settle();
  expect(session.connection?.of('audio', 'sendonly')[0]?.sends).toBe(opened[2]);
});

test('an offer that is lost is made again, one that is refused is told', async () => {
  session.offerFails = RequestError.disconnected();
  await entered();
  session.offerFails = null;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(session.offers).toBe(2);
  session.offerFails = new RequestError('unacceptable_sdp', 'no', false);
  call.isEveryFace.value = true;
  session.say({ type: 'call', call: callOf([1, 2, 3, 4, 5, 6, 7].map((id) => member(id))) });
  await settle();
  expect(call.media.problem.value?.code).toBe('unacceptable_sdp');
});

test('where the transport was given up for HLS another one begins with the call, and needs one offer', async () => {
  await call.devices.openMicrophone();
  session.connection!.signalingState = 'closed';
  const old = session.connection!;
  session.keepMedia = (kept) => { if (kept) session.reconnect(); };
  await call.enter({ kind: 'join', call: 'call', invitation: null });
  await settle();
  expect(old.transceivers).toHaveLength(0);
  expect(session.connection?.of('audio', 'sendonly')[0]?.sends).toBe(opened[0]);
  expect(session.offers).toBe(0);
});

test('a move that the server refuses leaves the others, and what is known of them, where they were', async () => {
  await entered();
  const answer = session.answer;
  session.answer = (ask) => {
    if (ask.ask === 'play') throw new RequestError('forbidden', 'not you', false);
    return answer(ask);
  };
  await expect(call.play({ at: 'behind', behind_ms: 9_000 })).rejects.toMatchObject({ code: 'forbidden' });
  expect(call.view.value?.play).toEqual({ at: 'live' });
});

test('somebody who is quicker than the match waits for it, and not for ever', async () => {
  session.seat.value = null;
  void call.enter({ kind: 'join', call: 'call', invitation: null });
  await settle();
  expect(asks('join')).toEqual([]);
  session.seat.value = 1;
  await settle();
  expect(asks('join')).toHaveLength(1);
  expect(call.phase.value.kind).toBe('in');
  call.leave();
  session.seat.value = null;
  void call.enter({ kind: 'join', call: 'call', invitation: null });
  await vi.advanceTimersByTimeAsync(8_100);
  expect(call.phase.value).toMatchObject({ kind: 'refused', error: { code: 'timeout' } });
});

test('a call that is left while signaling is away is told at the next connection, until the server knows', async () => {
  await entered();
  const answer = session.answer;
  let fails: RequestError | null = RequestError.disconnected();
  session.answer = (ask) => {
    if (ask.ask === 'leave' && fails) throw fails;
    return answer(ask);
  };
  call.leave();
  await settle();
  expect(call.phase.value).toEqual({ kind: 'over', why: 'left' });
  fails = RequestError.timeout();
  session.say({ type: 'welcome', resumed: true } as never);
  await settle();
  expect(asks('leave')).toHaveLength(2);
  fails = null;
  await vi.advanceTimersByTimeAsync(500);
  expect(asks('leave')).toHaveLength(3);
  session.say({ type: 'welcome', resumed: true } as never);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asks('leave')).toHaveLength(3);
});

test('what is still to be said of the last call does not end the next one', async () => {
  await entered();
  const answer = session.answer;
  session.answer = (ask) => {
    if (ask.ask === 'leave') throw RequestError.timeout();
    return answer(ask);
  };
  call.leave();
  await settle();
  call.forget();
  await call.enter({ kind: 'join', call: 'call', invitation: null });
  expect(call.phase.value.kind).toBe('in');
  expect(session.asked.map(({ ask }) => ask).filter((ask) => ask === 'leave' || ask === 'join')).toEqual(['leave', 'leave', 'join']);
  const left = asks('leave').length;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asks('leave')).toHaveLength(left);
});

test('a call that the server believes this person in, and that is not on here, is left', async () => {
  session.say({ type: 'call', call: callOf([member(1), member(2)]) });
  session.say({ type: 'call', call: callOf([member(1), member(2)]) });
  await settle();
  expect(asks('leave')).toHaveLength(1);
  const entering = call.enter({ kind: 'join', call: 'call', invitation: null });
  session.say({ type: 'call', call: callOf([member(1), member(2)]) });
  await entering;
  expect(call.phase.value.kind).toBe('in');
  expect(asks('leave')).toHaveLength(1);
});

test('a call that is left while it is entered again stays left', async () => {
  await entered();
  session.seat.value = null;
  session.say({ type: 'welcome', resumed: false } as never);
  session.seat.value = 2;
  call.leave();
  await settle();
  expect(asks('join')).toHaveLength(1);
  expect(call.phase.value.kind).toBe('over');
  expect(session.asked.at(-1)).toEqual({ ask: 'leave' });
});

test('a picture for which there is no room is off here too, in words, and the voice goes on', async () => {
  const answer = session.answer;
  session.answer = (ask) => {
    if (ask.ask === 'present' && (ask.camera || ask.screen)) throw new RequestError('video_full', 'twelve show theirs', true);
    return answer(ask);
  };
  await entered();
  expect(call.devices.camera.value).toEqual({ kind: 'off' });
  expect(opened[0]?.stopped).toBe(true);
  expect(call.news.value).toEqual([{ kind: 'unseen' }]);
  expect(asks('present').at(-1)).toEqual({ ask: 'present', microphone: true, camera: false, screen: false });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asks('present')).toHaveLength(2);
});

test('what is sent is told again until the server has taken it, and no longer than the call lasts', async () => {
  const answer = session.answer;
  let fails: RequestError | null = new RequestError('slow_down', 'wait', true, 700);
  session.answer = (ask) => {
    if (ask.ask === 'present' && fails) throw fails;
    return answer(ask);
  };
  await entered();
  expect(asks('present')).toHaveLength(1);
  fails = RequestError.timeout();
  await vi.advanceTimersByTimeAsync(700);
  expect(asks('present')).toHaveLength(2);
  fails = null;
  await vi.advanceTimersByTimeAsync(500);
  expect(asks('present')).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asks('present')).toHaveLength(3);
  fails = RequestError.timeout();
  call.devices.isMicrophoneOn.value = false;
  await settle();
  call.leave();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(asks('present')).toHaveLength(4);
});

const heights = () => session.told.flatMap((message) => (message.type === 'view_size' ? [message.height] : []));

test('a face that is gone is not sent, unless it is drawn elsewhere; another one on its m-line is told anew', async () => {
  await entered();
  const { mid } = session.connection!.of('video', 'recvonly')[0]!;
  const carries = (source: Slot['source']) => session.slots([{ mid: mid!, kind: 'video', source }]);
  const [page, window] = [{}, {}];
  carries('member:2');
  expect(heights()).toEqual([]);
  call.media.drawn(2, 190, page);
  call.media.drawn(2, 180, window);
  call.media.undrawn(2, page);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(heights()).toEqual([190, 180]);
  call.media.undrawn(2, window);
  call.media.drawn(2, 180, page);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(heights()).toEqual([190, 180]);
  call.media.undrawn(2, page);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(heights()).toEqual([190, 180, 0]);
  call.media.drawn(3, 120, page);
  carries('member:3');
  carries('member:2');
  expect(heights()).toEqual([190, 180, 0, 120, 0]);
});

test('while faces are hidden none is sent, whether or not it was ever drawn', async () => {
  await entered();
  const lines = session.connection!.of('video', 'recvonly');
  call.media.drawn(2, 190, {});
  call.media.hide(true);
  session.slots(lines.slice(0, 2).map(({ mid }, index) => ({ mid: mid!, kind: 'video', source: `member:${index + 2}` })));
  expect(heights()).toEqual([0, 0]);
  call.media.hide(false);
  expect(heights()).toEqual([0, 0, 190]);
});

test('a call that is lost with its session does not keep the transport', async () => {
  await entered();
  session.seat.value = null;
  session.say({ type: 'welcome', resumed: false } as never);
  session.answer = (ask) => {
    if (ask.ask === 'join') throw new RequestError('not_found', 'it is over', false);
    return { type: 'done', id: 1 };
  };
  session.seat.value = 2;
  await settle();
  expect(call.phase.value).toEqual({ kind: 'over', why: 'lost' });
  expect(session.kept).toEqual([true, false]);
});
