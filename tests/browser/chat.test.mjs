// People talk about a match: three real pages say, answer, change and take away; moderators keep order; a lost connection loses nothing and
// doubles nothing; and nobody reads of a moment before it is on their own screen.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Chat } from './support/chat.mjs';
import { launchChromium } from './support/chromium.mjs';
import { WatchPage } from './support/places.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { cuttable } from './support/signaling.mjs';
import { until } from './support/until.mjs';

let server;
let closed;
let browser;
before(async () => {
  [server, closed, browser] = await Promise.all([
    Server.start('chat', ['--open-publish', '--hls=false']),
    Server.start('chat-closed-view', ['--open-publish', '--closed-view', '--hls=false']),
    launchChromium(),
  ]);
});
after(async () => {
  await browser?.close();
  await Promise.all([server?.remove(), closed?.remove()]);
});
const scenario = scenarios(() => ({ server, browser }));

/** Lines of the chat that a page may hold, whatever is said: what is drawn at once, and a few that are on their way out. */
const LINES_MAX = 130;
/** At forty messages a second this leaves two thirds of each frame of 16.7 ms to everything else. */
const MESSAGE_WORK_MS = 8;
/** Five seconds of it. */
const SAID = 200;

/** A broadcast with its owner and two viewers in its chat. */
async function company(stage, title) {
  const studio = await stage.broadcast(title, { width: 320, height: 180, rate: 8 });
  const token = (await studio.own()).token;
  const [owner, one, two] = await Promise.all([stage.watch(studio.slug, { query: `?token=${token}` }), stage.watch(studio.slug), stage.watch(studio.slug)]);
  const chats = [owner, one, two].map(({ page }) => new Chat(page));
  await Promise.all(chats.map((chat) => chat.composer.waitFor()));
  return { studio, pages: [owner, one, two], chats };
}

/** A watch page whose signaling a test holds in its hand. */
async function watchCuttable(stage, slug, toPage) {
  const page = await stage.page(null);
  const link = await cuttable(page, toPage);
  await page.goto(`/watch/${slug}`);
  const chat = new Chat(page);
  await chat.composer.waitFor();
  return { viewer: new WatchPage(page), page, link, chat };
}

scenario('three people talk: say, reply, mention, edit, delete and pin', async (stage) => {
  const { chats: [owner, one, two] } = await company(stage, 'Talk');
  await one.panel.getByText('Nobody has said anything yet').waitFor();
  await one.says('keeper has kept us in this');
  await Promise.all([owner, two].map((chat) => chat.reads('keeper has kept us in this')));
  await two.says('who is warming up? 🔥');
  assert.equal(await two.line('who is warming up').getByRole('img', { name: 'fire' }).count(), 1);

  await two.act('keeper has kept us', 'Reply');
  await two.panel.getByText(/^Reply to/).waitFor();
  await two.says('he really has');
  await one.reads('he really has');
  const answer = one.line('he really has');
  assert.match(await answer.innerText(), /keeper has kept us in this/);
  assert.match(await answer.getAttribute('class'), /to-me/);
  assert.doesNotMatch(await owner.line('he really has').getAttribute('class'), /to-me/);

  const name = await two.ownName();
  await one.composer.pressSequentially(`@${name.slice(0, 3).toLowerCase()}`);
  await one.page.getByRole('option', { name }).waitFor();
  await one.composer.press('Enter');
  await one.composer.pressSequentially('you owe me a coffee');
  await one.composer.press('Enter');
  await one.confirmed();
  await two.reads('you owe me a coffee');
  assert.equal(await two.line('you owe me a coffee').locator('.at.me').innerText(), `@${name}`);

  // The last own message, from the empty field.
  await one.composer.press('ArrowUp');
  await one.panel.getByText('Change your message').waitFor();
  await one.composer.fill('you owe me two coffees');
  await one.composer.press('Enter');
  await two.reads('you owe me two coffees');
  assert.match(await two.line('two coffees').innerText(), /edited/);

  await two.act('who is warming up', 'Delete');
  await until('the message to go for everyone', async () => (await Promise.all([owner, one, two].map((chat) => chat.counts(['who is warming up'])))).flat().every((count) => count === 0));
  await one.reads('Message removed');

  await owner.act('he really has', 'Pin for everyone');
  const pinned = two.panel.getByRole('region', { name: 'Pinned message' });
  await pinned.filter({ hasText: 'he really has' }).waitFor();
  // Who comes later finds all of it.
  const late = new Chat(await stage.page(new URL(one.page.url()).pathname));
  await late.reads('two coffees');
  assert.deepEqual(await late.counts(['keeper has kept us in this', 'two coffees', 'who is warming up']), [2, 1, 0]);
  await late.panel.getByRole('region', { name: 'Pinned message' }).waitFor();
  await owner.panel.getByRole('button', { name: 'Unpin' }).click();
  await pinned.waitFor({ state: 'detached' });
});

scenario('text is never markup, and only web addresses become links', async (stage) => {
  const { chats: [owner, one] } = await company(stage, 'Safe');
  await owner.says('<img src=x onerror="globalThis.broken=1"> <b>bold</b> javascript:alert(1) https://example.org/a?b=1.');
  await one.reads('bold');
  const line = one.line('bold');
  assert.equal(await line.locator('img, b:not(.who)').count(), 0);
  assert.equal(await one.page.evaluate(() => globalThis.broken), undefined);
  const link = line.getByRole('link');
  assert.deepEqual(await link.evaluateAll((links) => links.map(({ href, rel, target }) => [href, rel, target])), [['https://example.org/a?b=1', 'noopener noreferrer nofollow ugc', '_blank']]);
});

/** The moderators' part of the panel, and how much waits in it. */
const deskTab = (chat) => chat.panel.getByRole('tab', { name: /^Moderation/ });
const waiting = (chat, count) => until(`${count} to wait for the moderator`, async () => (await deskTab(chat).locator('.badge').allInnerTexts()).join('') === (count === 0 ? '' : String(count)));

scenario('what the filter finds waits for a moderator, whose word is final, and its author is told in words', async (stage) => {
  const { chats: [owner, one, two] } = await company(stage, 'Review');
  assert.equal(await deskTab(one).count(), 0, 'only those who may are shown the tools');
  await one.say('tickets at cheap.shop');
  await one.panel.getByText('The chat’s filter stopped it').waitFor();
  await one.panel.getByRole('button', { name: 'Discard' }).click();
  await owner.option('Who may write, and how fast');
  await owner.page.getByRole('switch', { name: 'Let moderators look at what the filter finds' }).check();
  await owner.page.getByRole('button', { name: 'Save' }).click();
  await one.reads('Moderators look at what the filter finds.');

  await one.say('tickets at cheap.shop');
  await one.line('tickets at').getByText('A moderator looks at it first').waitFor();
  await one.says('while I wait');
  await two.reads('while I wait');
  await waiting(owner, 1);
  assert.deepEqual(await two.counts(['tickets at']), [0]);
  // It is found again after a visit elsewhere.
  await one.page.reload();
  await one.line('tickets at').getByText('A moderator looks at it first').waitFor();
  // What a picture that has just come back has not reached yet is not shown yet: by their moments the words of this chat are the other way round.
  await one.reads('while I wait');
  await deskTab(owner).click();
  const row = owner.panel.getByRole('listitem').filter({ hasText: 'tickets at' });
  assert.match(await row.innerText(), /A link/);
  await row.getByRole('button', { name: /^Approve/ }).click();
  await Promise.all([one, two].map((chat) => chat.reads('tickets at')));
  let seen;
  await until('one line of it, in its place', async () => {
    seen = (await one.lines()).filter((line) => !/Moderators/.test(line));
    return seen.map((line) => /while|tickets/.exec(line)?.[0]).join() === 'while,tickets';
  }).catch((thrown) => assert.fail(`${thrown.message}: ${JSON.stringify(seen)}`));
  await waiting(owner, 0);

  await one.say('more at www.spam');
  await owner.panel.getByRole('button', { name: /^Refuse/ }).click();
  await one.panel.getByText('A moderator decided against it.').waitFor();
  assert.equal(await one.panel.getByRole('button', { name: 'Send again' }).count(), 0);
  assert.deepEqual(await two.counts(['www.spam']), [0]);
});

scenario('reports, silenced people and forbidden words come to moderators by themselves', async (stage) => {
  const { chats: [owner, one, two] } = await company(stage, 'Desk');
  await one.says('you are all wrong');
  const name = await one.ownName();
  await two.reads('you are all wrong');
  await two.act('you are all wrong', 'Report');
  await two.page.getByLabel('What is it?').selectOption({ label: 'Spam' });
  await two.page.getByLabel('Anything to add').fill('all day long');
  await two.page.getByRole('dialog').getByRole('button', { name: 'Report' }).click();
  await two.page.getByText('The moderators are told').waitFor();
  await waiting(owner, 1);
  await deskTab(owner).click();
  const reported = owner.panel.getByRole('listitem').filter({ hasText: 'you are all wrong' });
  assert.match(await reported.innerText(), /Spam[^]*all day long/);
  await reported.getByRole('button', { name: /^Silence for 10 min/ }).click();
  await waiting(owner, 0);
  await two.reads('Message removed');
  const silenced = owner.panel.getByRole('region', { name: 'Silenced people' });
  await silenced.getByText(name).waitFor();
  await silenced.getByRole('button', { name: `Let them write again: ${name}` }).click();
  await silenced.getByText('Nobody is silenced.').waitFor();
  await one.say('back again');
  await two.reads('back again');

  const list = owner.panel.getByRole('textbox', { name: 'Words that may not be said' });
  await list.fill('offside*');
  await owner.panel.getByRole('button', { name: 'Save' }).click();
  await owner.page.getByText('The list is saved').waitFor();
  await one.say('that was 0ffside');
  await one.panel.getByText('The chat’s filter stopped it').waitFor();
  // Whoever moderates from another page finds all of it.
  await owner.page.reload();
  await deskTab(owner).click();
  await until('the list to be there', async () => (await list.inputValue()) === 'offside*');
});

scenario('in full screen the chat lies over the picture: read, written and put away, by keyboard too', async (stage) => {
  const { pages: [, viewer], chats: [, one, two] } = await company(stage, 'Wide');
  await viewer.moves();
  const { page } = viewer;
  await page.mouse.move(300, 300);
  await page.getByRole('button', { name: 'Full screen' }).click();
  await until('full screen', () => page.evaluate(() => document.fullscreenElement?.classList.contains('player')));
  // Hidden until it is wanted.
  await one.panel.waitFor({ state: 'detached' });
  await page.keyboard.press('h');
  await one.panel.waitFor();
  await two.says('over the picture');
  await one.reads('over the picture');
  // The cursor goes into it with Enter; an h is then a letter.
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('Enter');
  await page.keyboard.type('hello from here');
  await page.keyboard.press('Enter');
  await two.reads('hello from here');
  assert.equal(await page.getByRole('log').count(), 1, 'the chat is there once');
  await page.mouse.move(310, 310);
  await page.getByRole('button', { name: 'Hide chat' }).first().click();
  await one.panel.waitFor({ state: 'detached' });
  await page.keyboard.press('f');
  await one.panel.waitFor();
  await one.reads('hello from here');
});

scenario('moderators keep order, and whoever is stopped is told why in words', async (stage) => {
  const { chats: [owner, one, two] } = await company(stage, 'Order');
  // Only those who may are shown the tools.
  await one.says('hello everybody');
  await owner.reads('hello everybody');
  await two.line('hello everybody').locator('.who').click();
  await two.page.getByRole('menuitem', { name: 'Reply' }).waitFor();
  assert.deepEqual(await two.page.getByRole('menuitem').allInnerTexts(), ['Reply', 'Mention', 'Report']);
  await two.page.keyboard.press('Escape');

  await owner.option('Who may write, and how fast');
  await owner.page.getByLabel('Slow mode').selectOption({ label: 'A message every 30 s' });
  await owner.page.getByRole('button', { name: 'Save' }).click();
  await two.reads('Slow mode is on, one message every 30 s.');
  await two.says('patience');
  await two.composer.fill('more');
  await two.panel.getByRole('button', { name: /^You can send in \d+ s$/ }).waitFor();
  await owner.says('I may');
  await owner.says('write on');
  await owner.option('Who may write, and how fast');
  await owner.page.getByLabel('Slow mode').selectOption({ label: 'Off' });
  await owner.page.getByRole('switch', { name: 'Emoji only' }).check();
  await owner.page.getByRole('button', { name: 'Save' }).click();
  await one.reads('Emoji only from now on.');
  await one.composer.fill('words');
  await one.panel.getByRole('button', { name: 'Send', exact: true }).isDisabled().then((off) => assert.equal(off, true));
  await one.says('⚽⚽');
  await owner.option('Who may write, and how fast');
  await owner.page.getByRole('switch', { name: 'Emoji only' }).uncheck();
  await owner.page.getByRole('combobox', { name: 'Who may write' }).selectOption({ label: 'People with an account' });
  await owner.page.getByRole('button', { name: 'Save' }).click();
  await one.reads('People with an account may write now.');
  await one.say('am I one?');
  await one.line('am I one?').getByText('Only people with an account write here just now.').waitFor();
  await owner.option('Who may write, and how fast');
  await owner.page.getByRole('combobox', { name: 'Who may write' }).selectOption({ label: 'Everyone' });
  await owner.page.getByRole('button', { name: 'Save' }).click();
  await one.reads('Everyone may write again.');
  await one.line('am I one?').getByRole('button', { name: 'Send again' }).click();
  await two.reads('am I one?');

  await two.say('see https://elsewhere.example/spam');
  await two.line('spam').getByText(/^The chat’s filter stopped it/).waitFor();
  await two.line('spam').getByRole('button', { name: 'Discard' }).click();
  await two.line('spam').waitFor({ state: 'detached' });

  await owner.act('hello everybody', 'Delete');
  await two.line('hello everybody').waitFor({ state: 'detached' });

  await owner.act('am I one?', 'Time out for 1 min');
  await two.line('am I one?').waitFor({ state: 'detached' });
  await one.say('let me in');
  await one.panel.getByText(/A moderator has silenced you for a while\. You can write again in \d+ s/).waitFor();
  await owner.page.getByRole('status').getByRole('button', { name: 'Undo' }).click();
  await owner.page.getByRole('status').filter({ hasText: 'may write again' }).waitFor();
  await one.panel.getByRole('button', { name: 'Try again' }).click();
  await one.says('here I am again');

  await owner.act('patience', 'Ban from this chat');
  await owner.page.getByRole('dialog').getByRole('button', { name: 'Ban from this chat' }).click();
  await one.line('patience').waitFor({ state: 'detached' });
  await two.composer.fill('');
  await two.say('what happened');
  await two.panel.getByText('A moderator has silenced you in this chat.').first().waitFor();
  assert.equal(await two.composer.count(), 0);
  assert.deepEqual(await owner.counts(['what happened']), [0]);
});

scenario('a lost connection loses nothing and doubles nothing, neither way', async (stage) => {
  const studio = await stage.broadcast('Torn', { width: 640, height: 360, rate: 15 });
  const other = new Chat((await stage.watch(studio.slug)).page);
  // The answers to what this page says are lost with the connection.
  let deaf = false;
  const torn = await watchCuttable(stage, studio.slug, (message) => (deaf && (message.type === 'said' || message.type === 'chat') ? null : message));
  await torn.viewer.moves();
  await other.says('before');
  await torn.chat.reads('before');
  await torn.chat.says('mine before');

  deaf = true;
  await torn.chat.say('heard but never answered');
  await other.reads('heard but never answered');
  // What is on its way cannot be changed yet, and the one before it is not meant.
  await torn.chat.composer.press('ArrowUp');
  assert.equal(await torn.chat.panel.getByText('Change your message').count(), 0);
  torn.link.cut();
  deaf = false;
  await torn.chat.panel.getByText('Finding the chat again').waitFor();
  await torn.chat.say('written in the dark');
  for (const text of ['gone one', 'gone two', 'gone three']) await other.says(text);
  await other.act('gone two', 'Delete');
  assert.deepEqual(await torn.chat.counts(['gone one']), [0]);

  torn.link.join();
  await Promise.all([torn.chat, other].map((chat) => chat.reads('written in the dark', { within: 20_000 })));
  await torn.chat.reads('gone three');
  await until('everything said once', async () => {
    const wanted = ['before', 'mine before', 'heard but never answered', 'written in the dark', 'gone one', 'gone three'];
    const seen = await Promise.all([torn.chat, other].map((chat) => chat.counts(wanted)));
    // "before" stands in "mine before" as well.
    return seen.every((counts) => JSON.stringify(counts) === '[2,1,1,1,1,1]') && (await torn.page.locator('.m.pending').count()) === 0;
  });
  assert.deepEqual(await torn.chat.counts(['gone two']), [0]);
  // What was taken away while nobody was listening is gone here too.
  torn.link.cut();
  await other.act('gone three', 'Delete');
  torn.link.join();
  await torn.chat.line('gone three').waitFor({ state: 'detached', timeout: 20_000 });
  await torn.viewer.moves();
});

/** A counter in letters: the chat's filter reads digits as letters, and finds words that nobody meant. */
const LETTERS = 'bdghjlmrwz';
const inLetters = (counter) => [...String(counter)].map((digit) => LETTERS[Number(digit)]).join('');
const fromLetters = (text) => Number([...text].map((letter) => LETTERS.indexOf(letter)).join(''));

scenario('a page that is seconds behind reads of nothing before it is on its screen', async (stage) => {
  const studio = await stage.broadcast('Spoiler', { width: 640, height: 360, rate: 15 });
  const [early, late] = await Promise.all([stage.watch(studio.slug), stage.watch(studio.slug)]);
  const [here, there] = [early, late].map(({ page }) => new Chat(page));
  await Promise.all([early.moves(), late.moves()]);
  // The browser's own jitter buffer: the picture stops for as long, and from then on is that much behind. The page would bring it back.
  await late.page.evaluate(() => {
    for (const connection of globalThis.connections) {
      for (const receiver of connection.getReceivers()) {
        receiver.jitterBufferTarget = 3_000;
        Object.defineProperty(receiver, 'jitterBufferTarget', { get: () => 3_000, set: () => undefined });
      }
    }
  });
  await until('a picture three seconds behind', async () => (await late.age()) > 2_500, { within: 25_000 });
  await late.moves({ within: 20_000 });

  // Each time a line with a counter comes up, the counter in the picture is read in the same instant.
  await late.page.evaluate(() => {
    globalThis.readings = [];
    const seen = new Set();
    new MutationObserver(() => {
      for (const line of document.querySelectorAll('.m')) {
        const said = /goal at ([a-z]+)/.exec(line.textContent)?.[1];
        if (!said || seen.has(said)) continue;
        seen.add(said);
        globalThis.readings.push({ said, shown: globalThis.barcode.read(document.querySelector('video')) });
      }
    }).observe(document.querySelector('.side'), { subtree: true, childList: true, characterData: true });
  });
  for (let word = 0; word < 3; word++) {
    const { counter } = await until('a readable counter', async () => {
      const now = await early.look();
      return now?.counter != null ? now : null;
    });
    await here.says(`goal at ${inLetters(counter)}`);
    if (word === 0) await there.panel.getByText(/newer at the live edge/).waitFor();
  }
  const readings = await until('the late page to have read everything', async () => {
    const all = await late.page.evaluate(() => globalThis.readings);
    return all.length === 3 ? all : null;
  }, { within: 15_000 });
  for (const { said, shown } of readings) {
    // An unreadable picture proves nothing.
    if (shown === null) continue;
    const ahead = await late.page.evaluate(([a, b]) => globalThis.barcode.age(a, b), [fromLetters(said), shown]);
    assert.ok(ahead >= 0, `read of ${fromLetters(said)} while ${shown} was on screen`);
  }
  assert.ok(readings.some(({ shown }) => shown !== null), 'a picture that could be read');

  // Switched off, words come at once: before their frame.
  await there.option('Chat keeps to your picture');
  await until('a word before its frame', async () => {
    const { counter } = await early.look();
    if (counter === null) return null;
    await here.says(`goal at ${inLetters(counter)}`);
    await there.reads(inLetters(counter));
    const { said, shown } = (await late.page.evaluate(() => globalThis.readings)).at(-1);
    return shown !== null && (await late.page.evaluate(([a, b]) => globalThis.barcode.age(a, b), [fromLetters(said), shown])) < 0;
  }, { within: 20_000 });
  await late.page.reload();
  await there.panel.getByRole('button', { name: 'Chat options' }).click();
  assert.equal(await late.page.getByRole('menuitemcheckbox', { name: /^Chat keeps to your picture/ }).getAttribute('aria-checked'), 'false');
});

scenario('forty messages a second are drawn without a jam, and the page does not grow', async (stage) => {
  const studio = await stage.broadcast('Roar', { width: 640, height: 360, rate: 15 });
  const { page, link, chat, viewer } = await watchCuttable(stage, studio.slug);
  await viewer.moves();
  // The page's own work, in time of its processor: on a busy machine frames come late whatever the page does.
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const worked = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    return { seconds: metrics.find(({ name }) => name === 'TaskDuration').value, atMs: Date.now() };
  };
  const start = await worked();
  await until('two seconds of quiet', () => Date.now() - start.atMs > 2_000);
  const quiet = await worked();
  let said = 0;
  /** So many a tenth of a second until `last` have been said. */
  const flood = async (last, atOnce = 4) => {
    while (said < last) {
      const events = Array.from({ length: atOnce }, (_, index) => {
        const number = said + index + 1;
        const author = { id: `000000000${number % 37}`, name: `Person ${number % 37}`, role: 'viewer', guest: true };
        return { event: 'said', message: { id: `9999999999999-${number}`, author, text: `message ${number} ${'so much to say '.repeat(number % 4)}⚽`, sent_at_ms: Date.now() } };
      });
      // On a machine that is very busy the page may be between two connections.
      if (link.tell({ type: 'chat', frame: { events } })) said += atOnce;
      await page.waitForFunction(() => new Promise((done) => setTimeout(() => done(true), 100)));
    }
  };
  await flood(SAID);
  const roar = await worked();
  await chat.reads(`message ${said} `);
  const idle = (quiet.seconds - start.seconds) / (quiet.atMs - start.atMs);
  const perMessageMs = (1_000 * (roar.seconds - quiet.seconds - idle * (roar.atMs - quiet.atMs))) / SAID;
  assert.ok(perMessageMs <= MESSAGE_WORK_MS, `${perMessageMs} ms for each message`);
  assert.ok((await page.locator('.m').count()) <= LINES_MAX);

  // Somebody who reads further up stays where they are, and is told how much is new.
  await chat.log.hover();
  await page.mouse.wheel(0, -1_500);
  await chat.panel.getByRole('button', { name: 'To the newest message' }).waitFor();
  let where = null;
  await until('the wheel to come to rest', async () => {
    const before = where;
    where = await firstSeen(page);
    return before !== null && before.top === where.top && before.text === where.text;
  });
  await flood(SAID + 40);
  await chat.panel.getByRole('button', { name: '40 new messages' }).waitFor();
  const still = await firstSeen(page);
  assert.deepEqual([still.text, Math.abs(still.top - where.top) <= 2], [where.text, true], `${JSON.stringify(where)} ${JSON.stringify(still)}`);
  assert.ok((await page.locator('.m').count()) <= LINES_MAX);
  await chat.panel.getByRole('button', { name: /new messages$/ }).click();
  await chat.line(`message ${said} `).waitFor();
  // Far more than is kept: the first lines are let go.
  await flood(2_000, 120);
  await chat.line(`message ${said} `).waitFor();
  assert.ok((await page.locator('.m').count()) <= LINES_MAX);
});

/** The first line that is wholly in sight. */
const firstSeen = (page) => page.evaluate(() => {
  const edge = document.querySelector('.log').getBoundingClientRect().top;
  const line = [...document.querySelectorAll('.m')].find((each) => each.getBoundingClientRect().top >= edge);
  return line && { text: line.querySelector('.said').textContent, top: line.getBoundingClientRect().top };
});

scenario('reactions are sent by tap, by hold and by key, and rise over everybody’s picture', async (stage) => {
  const { pages: [, one, two], chats: [, here] } = await company(stage, 'Cheers');
  await Promise.all([one.moves(), two.moves()]);
  /** Whether anything is drawn over the picture now. */
  const rises = (page) => page.evaluate(() => {
    const canvas = document.querySelector('canvas.rising');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 3; at < data.length; at += 4) if (data[at] > 0) return true;
    return false;
  });
  assert.equal(await rises(two.page), false);
  const fire = here.panel.getByRole('button', { name: 'Fire' });
  await fire.hover();
  await one.page.mouse.down();
  await until('the other page to see it', () => rises(two.page), { within: 20_000 });
  assert.equal(await rises(one.page), true);
  await one.page.mouse.up();
  await until('quiet', async () => !(await rises(two.page)));
  await one.page.locator('video[data-front]').click();
  await one.page.locator('video[data-front]').click();
  await one.page.keyboard.press('1');
  await until('the key to be seen', () => rises(two.page), { within: 20_000 });

  // The heat line lies over the controls, for who was there and for who comes later.
  const late = await stage.watch(new URL(one.page.url()).pathname.split('/').pop());
  for (const { page } of [two, late]) {
    const line = page.getByRole('img', { name: 'How much people reacted over the match' });
    // The controls go when nobody moves, and the line with them.
    let x = 300;
    await until('the heat line', async () => {
      await page.mouse.move(x++, 300);
      return line.isVisible();
    }, { within: 40_000 });
  }

  // Where motion is not wanted, the buttons count.
  const still = await stage.watch(new URL(one.page.url()).pathname.split('/').pop(), { context: { reducedMotion: 'reduce' } });
  const count = new Chat(still.page).panel.getByRole('button', { name: 'Fire' });
  await until('a count', async () => Number(await count.innerText()) > 0);
  assert.equal(await still.page.locator('canvas.rising').count(), 0);
});

scenario('on a phone the talk is below the picture, and hidden it stays hidden', async (stage) => {
  const studio = await stage.broadcast('Pocket', { width: 640, height: 360, rate: 15 });
  const phone = { context: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 } };
  const viewer = await stage.watch(studio.slug, phone);
  const chat = new Chat(viewer.page);
  await viewer.moves();
  await chat.composer.waitFor();
  const box = async (locator) => locator.boundingBox();
  const [player, panel, composer] = await Promise.all([box(viewer.player), box(chat.panel), box(chat.composer)]);
  assert.ok(panel.y >= player.y + player.height, 'below the picture');
  assert.ok(composer.y + composer.height <= 844 && composer.y > 700, `the field at the bottom of the screen: ${composer.y}`);
  assert.ok(panel.x === 0 && panel.width === 390);
  assert.equal(await viewer.page.evaluate(() => document.documentElement.scrollWidth), 390);
  await chat.says('from the pocket');
  for (const button of await chat.panel.getByRole('group', { name: 'Reactions' }).getByRole('button').all()) {
    const { width, height } = await box(button);
    assert.ok(width >= 44 && height >= 44, `${width} x ${height}`);
  }

  await chat.panel.getByRole('button', { name: 'Hide chat' }).tap();
  await chat.panel.waitFor({ state: 'detached' });
  await viewer.page.reload();
  await viewer.moves();
  assert.equal(await chat.panel.count(), 0);
  await viewer.page.getByRole('button', { name: 'Show chat' }).tap();
  await chat.reads('from the pocket');
});

scenario('by keyboard: into the talk, from line to line, an answer and back', async (stage) => {
  const { pages: [, viewer], chats: [, one, two] } = await company(stage, 'Keys');
  await two.says('first word');
  await two.says('second word');
  await one.reads('second word');
  await viewer.moves();
  await viewer.page.keyboard.press('Enter');
  assert.equal(await viewer.page.evaluate(() => document.activeElement?.tagName), 'TEXTAREA', 'the field has the cursor at once');
  await viewer.page.keyboard.press('Escape');
  await one.log.focus();
  await viewer.page.keyboard.press('ArrowUp');
  await viewer.page.keyboard.press('ArrowUp');
  await until('the first line to have focus', () => viewer.page.evaluate(() => document.activeElement?.textContent.includes('first word')));
  await viewer.page.keyboard.press('r');
  await viewer.page.keyboard.type('an answer');
  await one.panel.getByText(/^Reply to/).waitFor();
  assert.equal(await one.composer.inputValue(), 'an answer', 'nobody has to wait for the field');
  await viewer.page.keyboard.press('Enter');
  await two.reads('an answer');
  await one.log.focus();
  await viewer.page.keyboard.press('ArrowUp');
  await viewer.page.keyboard.press('Enter');
  await viewer.page.getByRole('menuitem', { name: 'Edit' }).waitFor();
  await viewer.page.keyboard.press('Escape');
  await viewer.page.getByRole('menu').waitFor({ state: 'detached' });
  await one.panel.getByRole('button', { name: 'Emoji', exact: true }).press('Enter');
  await viewer.page.getByRole('dialog', { name: 'Emoji' }).waitFor();
  await viewer.page.keyboard.type('soccer');
  await viewer.page.keyboard.press('Enter');
  assert.equal(await one.composer.inputValue(), '⚽');
  // What is said is told, at a pace.
  await two.says('third word');
  await one.panel.getByRole('status').filter({ hasText: 'third word' }).waitFor({ timeout: 20_000 });
});

scenario('the talk in a window of its own keeps to the picture in the other one', async (stage) => {
  const { pages: [, viewer], chats: [, one, two] } = await company(stage, 'Apart');
  await viewer.moves();
  await two.says('before it moved');
  const opened = viewer.page.waitForEvent('popup');
  await one.option('Open in a window of its own');
  const apart = new Chat(await opened);
  await apart.reads('before it moved');
  await one.panel.getByText('The chat is in a window of its own').waitFor();
  await apart.says('from over here');
  await two.reads('from over here');
  const { viewers } = await stage.server.broadcast(new URL(viewer.page.url()).pathname.split('/').pop());
  assert.equal(viewers, 3);
  await one.panel.getByRole('button', { name: 'Bring it back here' }).click();
  await one.reads('from over here');
  await until('the window to be gone', () => apart.page.isClosed());
});

scenario('who may only read is told so, and the end of the match ends its chat', async (stage) => {
  const studio = await stage.broadcast('Read along', {}, { server: closed });
  const reader = await stage.watch(studio.slug, { server: closed, query: `?token=${await closed.token('--view', '--broadcast', studio.slug)}` });
  const chat = new Chat(reader.page);
  await chat.panel.getByText('You’re reading along.').waitFor();
  assert.equal(await chat.composer.count(), 0);
  const owner = new Chat((await stage.watch(studio.slug, { server: closed, query: `?token=${(await studio.own()).token}` })).page);
  await owner.says('welcome, reader');
  await chat.reads('welcome, reader');
  await studio.end();
  await chat.panel.getByText('The match is over, and so is its chat.').waitFor();
  await chat.reads('welcome, reader');
});
