import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CaptureError } from '../lib/capture';
import { type Capture, CallDevices } from './devices';

class FakeTrack extends EventTarget {
  enabled = true;
  stopped = false;
  stop(): void {
    this.stopped = true;
  }
}

let life: AbortController;
let tracks: FakeTrack[];
let asked: (string | null)[];
let refuse: CaptureError | null;
let devices: CallDevices;

const open = async (id: string | null): Promise<MediaStreamTrack> => {
  asked.push(id);
  if (refuse) throw refuse;
  const track = new FakeTrack();
  tracks.push(track);
  return track as unknown as MediaStreamTrack;
};

beforeEach(() => {
  vi.stubGlobal('MediaStream', class {});
  life = new AbortController();
  [tracks, asked, refuse] = [[], [], null];
  const capture: Capture = {
    openCamera: open, openVoice: open, openScreen: async () => ({ video: await open(null), audio: null }),
    listDevices: async () => ({ cameras: [{ id: 'cam', label: 'Cam' }], microphones: [] }),
  };
  devices = new CallDevices(life.signal, capture);
});
afterEach(() => {
  life.abort();
  vi.unstubAllGlobals();
});

test('a permission that is denied is told as that, and asking again may be allowed', async () => {
  refuse = new CaptureError('denied');
  await devices.turnCamera(true);
  await devices.openMicrophone();
  expect(devices.camera.value).toEqual({ kind: 'failed', failure: 'denied' });
  expect(devices.microphone.value).toEqual({ kind: 'failed', failure: 'denied' });
  expect(devices.sent.value).toMatchObject({ video: null, audio: null });
  refuse = null;
  await devices.turnCamera(true);
  expect(devices.camera.value).toEqual({ kind: 'on' });
  expect(devices.devices.value.cameras).toHaveLength(1);
});

test('a camera that is turned off while it opens is let go at once', async () => {
  const opening = devices.turnCamera(true);
  await devices.turnCamera(false);
  await opening;
  expect(tracks[0]?.stopped).toBe(true);
  expect(devices.camera.value).toEqual({ kind: 'off' });
  expect(devices.sent.value.video).toBeNull();
});

test('another microphone takes over before the old one is let go, and keeps what the switch says', async () => {
  await devices.openMicrophone();
  devices.isMicrophoneOn.value = false;
  expect(tracks[0]?.enabled).toBe(false);
  await devices.chooseMicrophone('other');
  expect(asked).toEqual([null, 'other']);
  expect(tracks[0]?.stopped).toBe(true);
  expect(tracks[1]?.enabled).toBe(false);
  devices.isTalkHeld.value = true;
  expect([tracks[1]?.enabled, devices.isHeard.value]).toEqual([true, true]);
  devices.isTalkHeld.value = false;
  expect(tracks[1]?.enabled).toBe(false);
});

test('a screen that is no longer shared gives way to the camera; the end lets everything go', async () => {
  await devices.turnCamera(true);
  await devices.shareScreen(true);
  expect(devices.sent.value).toMatchObject({ video: tracks[1], kind: 'screen' });
  tracks[1]?.dispatchEvent(new Event('ended'));
  expect(devices.sent.value).toMatchObject({ video: tracks[0], kind: 'camera' });
  life.abort();
  expect(tracks[0]?.stopped).toBe(true);
});

test('whoever is gone before the first question is answered is not asked the second, and keeps no light on', async () => {
  const dialog = new AbortController();
  const opening = devices.openBoth(dialog.signal);
  dialog.abort();
  devices.close();
  await opening;
  expect(asked).toHaveLength(1);
  expect(tracks.every(({ stopped }) => stopped)).toBe(true);
  expect(devices.camera.value).toEqual({ kind: 'off' });
  await devices.openBoth(new AbortController().signal);
  expect([devices.microphone.value.kind, devices.camera.value.kind]).toEqual(['on', 'on']);
});

test('after the end of the page nothing opens any more', async () => {
  life.abort();
  await devices.openMicrophone();
  await devices.turnCamera(true);
  await devices.shareScreen(true);
  expect(asked).toEqual([]);
});

test('a screen that is picked after the call is over is let go, and not shared with the next one', async () => {
  const picking = devices.shareScreen(true);
  devices.close();
  await picking;
  expect(tracks[0]?.stopped).toBe(true);
  expect([devices.isSharing.value, devices.sent.value.video]).toEqual([false, null]);
  await Promise.all([devices.shareScreen(true), devices.shareScreen(true)]);
  expect(tracks.map(({ stopped }) => stopped)).toEqual([true, true, false]);
});
