// An account's life with real pages: a guest who watches signs up without missing a frame, confirms the letter, comes and goes, changes
// what can be changed, and leaves for good. All tabs are one person.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

const PASSWORD = 'correct horse battery';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('account'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** Whom the page's connections have been welcomed as, the last one last. */
const WELCOMES = `{
  globalThis.welcomes = [];
  globalThis.refreshes = 0;
  const Socket = globalThis.WebSocket;
  globalThis.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'welcome') globalThis.welcomes.push(message.user);
      });
    }
  };
  const ask = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    if (String(input).endsWith('/auth/refresh')) globalThis.refreshes += 1;
    return ask(input, init);
  };
}`;
const welcomed = (page) => page.evaluate(() => globalThis.welcomes.at(-1));

const door = (page) => page.getByRole('dialog');
const face = (page, name) => page.getByRole('button', { name: `Account of ${name}` });
const signInButton = (page) => page.getByRole('banner').getByRole('button', { name: 'Sign in' });

async function fillSignUp(page, { name, email, password = PASSWORD }) {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
}

async function signIn(page, email, password = PASSWORD) {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('tabpanel').getByRole('button', { name: 'Sign in' }).click();
}

/** A person with an account on a page of their own browser. */
async function member(stage, person, path = '/account') {
  const page = await stage.page('/sign-up', { scripts: [WELCOMES] });
  await fillSignUp(page, person);
  await face(page, person.name).waitFor();
  await page.goto(path);
  await face(page, person.name).waitFor();
  return page;
}

async function signOut(page, name) {
  await face(page, name).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await signInButton(page).waitFor();
}

scenario('a guest signs up while watching: the picture goes on, the person stays, every tab knows', async (stage) => {
  const studio = await stage.broadcast('Sign up meanwhile');
  const viewer = await stage.watch(studio.slug, { scripts: [WELCOMES] });
  const { page } = viewer;
  await viewer.moves();
  const guest = await welcomed(page);
  assert.equal(guest.guest, true);
  const second = await page.context().newPage();
  await second.goto('/');
  await signInButton(second).waitFor();
  await page.bringToFront();

  await viewer.timeStills();
  await signInButton(page).click();
  await door(page).getByRole('tab', { name: 'New here' }).click();
  await page.keyboard.type('m');
  await fillSignUp(page, { name: 'Maja', email: 'maja@example.org', password: 'short' });
  await door(page).getByText('Make it at least 8 characters long.').waitFor();
  await until('focus in the field that is wrong', () => page.evaluate(() => document.activeElement.name === 'password'));
  // Behind the door the player's keys do nothing, and the match goes on.
  assert.equal(await page.evaluate(() => document.querySelector('video').muted), false);
  await viewer.moves();
  await fillSignUp(page, { name: 'Maja', email: 'maja@example.org' });
  await face(page, 'Maja').waitFor();
  await door(page).waitFor({ state: 'detached' });
  await until('the session to know the account', async () => (await welcomed(page)).name === 'Maja');
  assert.deepEqual(await welcomed(page), { id: guest.id, name: 'Maja', guest: false });
  await viewer.moves();
  const { longest, same } = await viewer.stood();
  assert.ok(same, 'the video is the same element');
  assert.ok(longest < 1_500, `the picture stood still for ${longest} ms`);
  assert.equal((await stage.server.broadcast(studio.slug)).viewers, 1, 'one person watches');
  await face(second, 'Maja').waitFor();

  // A reload comes back as the account, whose token was in memory alone.
  assert.equal(await page.evaluate(() => localStorage.getItem('courtside.identity')), null);
  await page.reload();
  await viewer.moves();
  assert.deepEqual(await welcomed(page), { id: guest.id, name: 'Maja', guest: false });

  await signOut(second, 'Maja');
  await signInButton(page).waitFor();
  await until('the session to be a guest’s', async () => (await welcomed(page)).guest);
  assert.notEqual((await welcomed(page)).id, guest.id);
  await viewer.moves();

  await signInButton(page).click();
  await signIn(page, 'maja@example.org', 'not my password');
  await door(page).getByText('That password doesn’t match this email.').waitFor();
  await signIn(page, 'maja@example.org');
  await face(page, 'Maja').waitFor();
  await until('the session to be the account’s', async () => (await welcomed(page)).id === guest.id);
  await viewer.moves();
});

scenario('the letter confirms the address, and a used or cut link says so', async (stage) => {
  const page = await member(stage, { name: 'Noor', email: 'noor@example.org' });
  await page.getByText('Not confirmed').waitFor();
  const first = await stage.server.letter('noor@example.org', 'verify');
  await page.getByRole('button', { name: 'Send the link again' }).click();
  await page.getByText('A new link is on its way').waitFor();
  const code = await until('another letter', async () => {
    const newest = await stage.server.letter('noor@example.org', 'verify');
    return newest !== first && newest;
  });

  // Read on another device, where nobody is signed in.
  const elsewhere = await stage.page(`/account/verify#${first}`);
  await elsewhere.getByRole('heading', { name: 'This link doesn’t work any more' }).waitFor();
  await elsewhere.goto(`/account/verify`);
  await elsewhere.getByText('The link isn’t complete.').waitFor();
  await page.goto(`/account/verify#${code}`);
  await page.getByRole('heading', { name: 'Your email address is confirmed' }).waitFor();
  assert.equal(new URL(page.url()).hash, '', 'the code is not in the address any more');
  await page.goto('/account');
  await page.getByText('Confirmed', { exact: true }).waitFor();
});

scenario('name, picture and password change, and the other device is signed out', async (stage) => {
  const page = await member(stage, { name: 'Tomas', email: 'tomas@example.org' });
  await member(stage, { name: 'Taken', email: 'taken@example.org' });
  const profile = page.getByRole('region', { name: 'Profile' });
  await profile.getByLabel('Name').fill('taken');
  await profile.getByRole('button', { name: 'Save' }).click();
  await profile.getByText('Someone else has that name.').waitFor();
  await profile.getByLabel('Name').fill('  Tomás   Vidal ');
  await profile.getByRole('button', { name: 'Save' }).click();
  await face(page, 'Tomás Vidal').waitFor();

  const file = page.getByLabel('Choose picture');
  await file.setInputFiles({ name: 'notes.png', mimeType: 'image/png', buffer: Buffer.from('not a picture') });
  await profile.getByText('That file isn’t a picture').waitFor();
  await file.evaluate(async (input) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 1200, height: 900 });
    const context = canvas.getContext('2d');
    // Noise does not shrink: the hardest picture there is.
    const pixels = context.createImageData(1200, 900);
    for (let at = 0; at < pixels.data.length; at += 65_536) crypto.getRandomValues(pixels.data.subarray(at, Math.min(at + 65_536, pixels.data.length)));
    for (let at = 3; at < pixels.data.length; at += 4) pixels.data[at] = 255;
    context.putImageData(pixels, 0, 0);
    const files = new DataTransfer();
    files.items.add(new File([await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'))], 'me.png', { type: 'image/png' }));
    input.files = files.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
  const crop = page.getByRole('group', { name: 'Part of the picture that is shown' });
  await crop.focus();
  await page.keyboard.press('ArrowLeft');
  await page.getByLabel('Enlarge').fill('2');
  await page.getByRole('button', { name: 'Use picture' }).click();
  await crop.waitFor({ state: 'detached' });
  const picture = profile.locator('.avatar img');
  await until('the picture', () => picture.evaluate((image) => image.complete && image.naturalWidth === 320 && image.naturalHeight === 320));
  const bytes = await picture.evaluate(async (image) => (await (await fetch(image.src)).blob()).size);
  assert.ok(bytes <= 128 * 1024, `${bytes} bytes`);
  await profile.getByRole('button', { name: 'Remove' }).click();
  await picture.waitFor({ state: 'detached' });

  const phone = await stage.page('/sign-in?next=/account');
  await signIn(phone, 'tomas@example.org');
  await phone.getByRole('heading', { name: 'Your account' }).waitFor();
  await page.reload();
  const devices = page.getByRole('region', { name: 'Devices' });
  await devices.getByText('This device').waitFor();
  await until('two devices', async () => (await devices.getByRole('listitem').count()) === 2);
  await devices.getByRole('button', { name: /^Sign out Chrome/ }).click();
  await page.getByText('is out within five minutes').waitFor();
  await until('one device', async () => (await devices.getByRole('listitem').count()) === 1);
  // There the next renewal says it.
  await phone.reload();
  await phone.getByText('You’ve been signed out').waitFor();
  await phone.getByRole('heading', { name: 'You’re watching as a guest' }).waitFor();

  await phone.getByRole('status').getByRole('button', { name: 'Sign in' }).click();
  await signIn(phone, 'tomas@example.org');
  await face(phone, 'Tomás Vidal').waitFor();
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByLabel('Current password', { exact: true }).fill('wrong');
  await page.getByLabel('New password', { exact: true }).fill('tomas@example.org');
  await page.getByRole('button', { name: 'Save password' }).click();
  await page.getByText('Others would guess that at once.').waitFor();
  await page.getByLabel('New password', { exact: true }).fill('another good one');
  await page.getByRole('button', { name: 'Save password' }).click();
  await page.getByText('That password doesn’t match.').waitFor();
  await page.getByLabel('Current password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Save password' }).click();
  await page.getByText('Your new password is saved').waitFor();
  await page.reload();
  await face(page, 'Tomás Vidal').waitFor();
  await phone.reload();
  await phone.getByText('You’ve been signed out').waitFor();
});

scenario('a forgotten password is replaced by letter, and old devices are out', async (stage) => {
  const page = await member(stage, { name: 'Ines', email: 'ines@example.org' });
  const lost = await stage.page('/sign-in');
  await lost.getByRole('button', { name: 'Forgot your password?' }).click();
  await lost.getByLabel('Email').fill('ines@example.org');
  await lost.getByRole('button', { name: 'Send link' }).click();
  await lost.getByRole('heading', { name: 'Check your mail' }).waitFor();
  const code = await stage.server.letter('ines@example.org', 'reset');
  await lost.goto(`/account/reset#${code}`);
  await lost.getByLabel('New password', { exact: true }).fill('short');
  await lost.getByRole('button', { name: 'Save password' }).click();
  await lost.getByText('Make it at least 8 characters long.').waitFor();
  const field = lost.getByLabel('New password', { exact: true });
  await field.fill('a brand new password');
  await lost.getByRole('button', { name: 'Show password' }).click();
  assert.equal(await field.getAttribute('type'), 'text');
  await lost.getByRole('button', { name: 'Save password' }).click();
  await lost.getByRole('heading', { name: 'Your new password is saved' }).waitFor();
  await lost.getByRole('link', { name: 'Sign in' }).click();
  await signIn(lost, 'ines@example.org', 'a brand new password');
  await face(lost, 'Ines').waitFor();
  await page.reload();
  await page.getByText('You’ve been signed out').waitFor();
  // The letter's link is spent.
  await lost.goto(`/account/reset#${code}`);
  await lost.getByLabel('New password', { exact: true }).fill('yet another password');
  await lost.getByRole('button', { name: 'Save password' }).click();
  await lost.getByRole('heading', { name: 'This link doesn’t work any more' }).waitFor();
});

scenario('the stream key is shown once, replaced and deleted; everything can be taken along, and the account deleted', async (stage) => {
  const page = await member(stage, { name: 'Dev', email: 'dev@example.org' });
  const section = page.getByRole('region', { name: 'Stream key' });
  await section.getByRole('button', { name: 'Make a key' }).click();
  const shown = await section.getByRole('textbox').inputValue();
  assert.match(shown, /^csk_[\w-]{43}$/);
  await section.getByRole('button', { name: 'Done' }).click();
  await section.getByText('never used').waitFor();
  assert.ok(!(await page.content()).includes(shown));
  await section.getByRole('button', { name: 'Replace' }).click();
  await door(page).getByRole('button', { name: 'Replace' }).click();
  assert.notEqual(await section.getByRole('textbox').inputValue(), shown);
  await section.getByRole('button', { name: 'Done' }).click();
  await section.getByRole('button', { name: 'Delete' }).click();
  await door(page).getByRole('button', { name: 'Delete' }).click();
  await section.getByText('You have none yet.').waitFor();

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download everything' }).click();
  const file = await download;
  assert.equal(file.suggestedFilename(), 'courtside-account.json');
  const chunks = [];
  for await (const chunk of await file.createReadStream()) chunks.push(chunk);
  assert.equal(JSON.parse(Buffer.concat(chunks).toString()).account.email, 'dev@example.org');

  await page.getByRole('button', { name: 'Delete account' }).click();
  await door(page).getByLabel('Password', { exact: true }).fill('wrong password');
  await door(page).getByRole('button', { name: 'Delete for good' }).click();
  await door(page).getByText('That password doesn’t match.').waitFor();
  await door(page).getByLabel('Password', { exact: true }).fill(PASSWORD);
  await door(page).getByRole('button', { name: 'Delete for good' }).click();
  await page.getByText('Your account is deleted').waitFor();
  await signInButton(page).waitFor();
  await page.goto('/sign-in');
  await signIn(page, 'dev@example.org');
  await page.getByText('That password doesn’t match this email.').waitFor();
});

scenario('the door opens, is gone through and closes by keyboard', async (stage) => {
  const page = await stage.page('/');
  await signInButton(page).press('Enter');
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('name') ?? document.activeElement.innerText);
  await until('the address in focus', async () => (await focused()) === 'email');
  await page.keyboard.press('Escape');
  await door(page).waitFor({ state: 'detached' });
  await until('focus back where it was', async () => (await focused()) === 'Sign in');
  await page.keyboard.press('Enter');
  await until('the address in focus', async () => (await focused()) === 'email');
  // The browser tells of a closing a frame late; what is pressed before that opens the door all the same.
  await page.evaluate(() => document.addEventListener('focusin', ({ target }) => queueMicrotask(() => target.click()), { once: true }));
  await page.keyboard.press('Escape');
  await until('the address in focus', async () => (await focused()) === 'email');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('ArrowRight');
  await door(page).getByRole('tab', { name: 'New here', selected: true }).waitFor();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Tab');
  await page.keyboard.type('nobody@example.org');
  await page.keyboard.press('Enter');
  await door(page).getByText('Your password goes here.').waitFor();
  await until('the password in focus', async () => (await focused()) === 'password');
  for (let stop = 0; stop < 3; stop++) await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Forgot your password?');
  await page.keyboard.press('Enter');
  await door(page).getByRole('heading', { name: 'Choose a new password' }).waitFor();
  await until('the address in focus', async () => (await focused()) === 'email');
  assert.equal(await door(page).getByLabel('Email').inputValue(), 'nobody@example.org');
  await page.keyboard.press('Enter');
  await door(page).getByRole('heading', { name: 'Check your mail' }).waitFor();
  await until('the way back in focus', async () => (await focused()) === 'Back to sign in');
});

scenario('tabs share one renewal, and a rate limit counts down', async (stage) => {
  const page = await member(stage, { name: 'Sam', email: 'sam@example.org' }, '/');
  await page.context().clock.install();
  await page.reload();
  const tabs = [page];
  for (let tab = 0; tab < 3; tab++) tabs.push(await page.context().newPage());
  await Promise.all(tabs.map((tab) => tab.goto('/')));
  await Promise.all(tabs.map((tab) => face(tab, 'Sam').waitFor()));
  const count = async () => (await Promise.all(tabs.map((tab) => tab.evaluate(() => globalThis.refreshes)))).reduce((sum, one) => sum + one);
  const before = await count();
  assert.ok(before <= tabs.length, `${before} renewals for ${tabs.length} pages that opened`);
  // Shortly before the tokens run out in every tab at once.
  await page.context().clock.fastForward(285_000);
  await until('a renewal', async () => (await count()) > before);
  await Promise.all(tabs.map((tab) => tab.evaluate(() => navigator.locks.request('courtside.refresh', () => undefined))));
  assert.equal(await count(), before + 1, 'one tab has renewed for all');

  // So many letters to one mailbox are sent at once; the next has to wait.
  const email = 'somebody@example.org';
  const ask = () => fetch(`${stage.server.url}/api/v1/auth/forgot-password`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email }),
  });
  await until('the rate limit', async () => (await ask()).status === 429);
  const forgetful = await stage.page('/forgot-password');
  await forgetful.getByLabel('Email').fill(email);
  await forgetful.getByRole('button', { name: 'Send link' }).click();
  await forgetful.getByText('That was a lot of tries in a row.').waitFor();
  assert.equal(await forgetful.getByRole('button', { name: /^Try again in \d+ min$/ }).isDisabled(), true);
});
