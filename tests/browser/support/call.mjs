// A page of somebody in a call, as a person uses it.
import { CAMERA } from './scenario.mjs';
import { WatchPage } from './places.mjs';
import { until } from './until.mjs';

/** Colours by which a face is known in its picture. */
const COLOURS = { red: '#b03030', green: '#309030', blue: '#3040b0', yellow: '#a0a020' };

/** Camera of that colour, and a microphone that is silent until `speak`. */
const cameraOf = (colour, wishes = {}) => [`globalThis.cameraWishes = ${JSON.stringify({ width: 640, height: 360, rate: 15, tint: COLOURS[colour], voice: 440, ...wishes })};`, CAMERA];

const PASSWORD = 'correct horse battery';
const emailOf = (name, slug) => `${name.toLowerCase().replaceAll(' ', '-')}.${slug}@example.org`;

/** Two people with accounts, made by `withAccount`, are friends from now on. */
export async function befriend(server, slug, one, other) {
  const ask = async (path, method, body, bearer) => {
    const headers = { 'content-type': 'application/json', 'x-courtside': 'test', ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) };
    const answer = await fetch(`${server.url}/api/v1${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const [a, b] = await Promise.all([one, other].map(async (name) => {
    const signedIn = await ask('/auth/sign-in', 'POST', { email: emailOf(name, slug), password: PASSWORD });
    return { token: signedIn.token, id: signedIn.account.id };
  }));
  await ask(`/me/friends/${b.id}`, 'PUT', null, a.token);
  await ask(`/me/friends/${a.id}`, 'PUT', null, b.token);
}

/** Somebody who fills in the form of that place, and then watches `slug`. */
async function arrive(stage, place, name, slug, colour, options) {
  const page = await stage.page(`/${place}?next=/watch/${slug}`, { scripts: cameraOf(colour), ...options });
  const isNew = place === 'sign-up';
  if (isNew) await page.getByLabel('Name').fill(name);
  await page.getByLabel('Email').fill(emailOf(name, slug));
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: isNew ? 'Create account' : 'Sign in' }).click();
  const self = new CallPage(page);
  await self.watch.moves();
  return self;
}

export class CallPage {
  constructor(page) {
    this.page = page;
    this.watch = new WatchPage(page);
  }

  static cameraOf = cameraOf;

  /** Somebody new with an account, who watches `slug`. */
  static withAccount(stage, name, slug, colour, options = {}) {
    return arrive(stage, 'sign-up', name, slug, colour, options);
  }

  /** Somebody whom `withAccount` made, in another page. */
  static signedIn(stage, name, slug, colour, options = {}) {
    return arrive(stage, 'sign-in', name, slug, colour, options);
  }

  /** A guest who opens the link of a call. */
  static async byLink(stage, link, colour, options = {}) {
    return new CallPage(await stage.page(link, { scripts: cameraOf(colour), ...options }));
  }

  async wake() {
    await this.page.mouse.move(600, 300);
    await this.page.mouse.move(640, 320);
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: typeof name === 'string' });
  }

  /** From the watch page into a call of one's own. */
  async begin() {
    await this.button('Watch with friends').first().waitFor();
    await this.page.keyboard.press('w');
    await this.page.getByRole('dialog', { name: 'Watch with friends' }).waitFor();
    await this.page.getByRole('button', { name: 'Start and send a link' }).click();
    await this.page.getByRole('dialog', { name: 'Bring more friends' }).waitFor();
    await this.page.keyboard.press('Escape');
    await this.inCall();
  }

  /** From the dialog that a link or a ring opens. */
  async enter() {
    await this.page.getByRole('dialog', { name: 'Join your friends' }).getByRole('button', { name: 'Join', exact: true }).click();
    await this.inCall();
  }

  async inCall() {
    await this.page.getByRole('dialog').waitFor({ state: 'detached' });
    await until('this page to be in the call', async () => {
      await this.wake();
      return this.page.getByRole('toolbar', { name: 'Your call' }).isVisible();
    });
  }

  async press(name) {
    await this.wake();
    await this.button(name).first().click();
  }

  async choose(item) {
    await this.press('More about the call');
    await this.page.getByRole('menuitem', { name: item }).click();
  }

  /** By the host. */
  async remove(member) {
    await this.wake();
    const face = this.page.locator(`[data-member="${member}"]`);
    await face.hover();
    await face.getByRole('button', { name: /^More about/ }).click();
    await this.page.getByRole('menuitem', { name: 'Remove from the call' }).click();
    await this.page.getByRole('dialog').getByRole('button', { name: /^Remove/ }).click();
  }

  /** The link that lets others in. */
  async link() {
    await this.choose('Bring more friends');
    const dialog = this.page.getByRole('dialog', { name: 'Bring more friends' });
    await dialog.getByRole('button', { name: 'Copy link' }).click();
    const url = await dialog.getByRole('textbox').inputValue();
    await this.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    return url;
  }

  async leave() {
    await this.press('Leave the call');
    await this.page.getByRole('toolbar', { name: 'Your call' }).waitFor({ state: 'detached' });
  }

  /** Each face: whose, what its name says, and the colour of its picture. */
  async faces() {
    return this.page.evaluate(() => [...document.querySelectorAll('[data-member]')].map((face) => {
      const video = face.querySelector('video');
      let colour = null;
      if (video && video.videoWidth > 0) {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [16, 9];
        const context = canvas.getContext('2d');
        context.drawImage(video, 0, 0, 16, 9);
        const { data } = context.getImageData(0, 0, 16, 4);
        const sums = [0, 0, 0];
        for (let at = 0; at < data.length; at += 4) for (const index of [0, 1, 2]) sums[index] += data[at + index];
        const strong = sums.map((sum) => sum > data.length / 4 * 40 && sum > Math.max(...sums) * 0.7);
        colour = { 'true,false,false': 'red', 'false,true,false': 'green', 'false,false,true': 'blue', 'true,true,false': 'yellow' }[String(strong)] ?? null;
      }
      return { member: Number(face.dataset.member), label: face.getAttribute('aria-label'), colour, width: video?.videoWidth ?? 0 };
    }));
  }

  async sees(colour, { within = 15_000 } = {}) {
    await until(`a ${colour} face`, async () => (await this.faces()).some((face) => face.colour === colour), { within });
  }

  async lost(colour, { within = 15_000 } = {}) {
    await until(`the ${colour} face to be gone`, async () => (await this.faces()).every((face) => face.colour !== colour), { within });
  }

  /** Energy of the sound that came so far from members of the call, by element. */
  async voices() {
    return this.page.evaluate(async () => {
      const ids = new Map([...document.querySelectorAll('audio[data-voice]')].flatMap((voice) => {
        const track = voice.srcObject?.getAudioTracks()[0];
        return track ? [[track.id, Number(voice.dataset.voice)]] : [];
      }));
      const found = {};
      for (const connection of globalThis.connections) {
        for (const entry of (await connection.getStats()).values()) {
          if (entry.type === 'inbound-rtp' && entry.kind === 'audio' && ids.has(entry.trackIdentifier)) found[ids.get(entry.trackIdentifier)] = entry.totalAudioEnergy;
        }
      }
      return found;
    });
  }

  /** Switches the microphone's tone on or off. Returns when, ms of the wall clock. */
  async speak(on) {
    return this.page.evaluate((wanted) => globalThis.speak(wanted), on);
  }

  async hearsSomebody({ within = 15_000 } = {}) {
    const before = await this.voices();
    await until('a voice', async () => Object.entries(await this.voices()).some(([member, energy]) => energy > (before[member] ?? 0) + 1e-6), { within });
  }
}
