// The chat as a person uses it. The words are the interface's own (`web-client/src/chat_words.ts`).
import { until } from './until.mjs';

export class Chat {
  constructor(page) {
    this.page = page;
  }

  get panel() {
    return this.page.getByRole('region', { name: 'Chat', exact: true });
  }

  get log() {
    return this.page.getByRole('log', { name: 'Messages' });
  }

  get composer() {
    return this.panel.getByLabel('Your message');
  }

  /** The line that says `text`. */
  line(text) {
    return this.log.getByRole('listitem').filter({ hasText: text });
  }

  async say(text) {
    await this.composer.fill(text);
    await this.composer.press('Enter');
  }

  async reads(text, { within = 10_000 } = {}) {
    await this.line(text).first().waitFor({ timeout: within });
  }

  /** Says it and waits until the server has it. Emoji are drawings: the words around them are looked for. */
  async says(text) {
    const words = text.replace(/\p{Extended_Pictographic}\uFE0F?/gu, '').trim();
    const before = await this.page.locator('.m.mine:not(.pending)').count();
    await this.say(text);
    await until(`"${text}" to be said`, async () => {
      const mine = await this.page.locator('.m.mine:not(.pending)').allInnerTexts();
      return mine.length > before && mine.some((line) => line.includes(words));
    });
  }

  /** Everything of this person's own has reached the server. */
  async confirmed() {
    await until('no message on its way', async () => (await this.page.locator('.m.pending').count()) === 0);
  }

  /** Opens what can be done with a message (by its author's name) and does it. */
  async act(text, action) {
    await this.line(text).first().locator('.who').click();
    await this.page.getByRole('menuitem', { name: action, exact: true }).click();
  }

  /** What is said and told, from top to bottom, without the time. */
  async lines() {
    return this.log.locator('.said').allInnerTexts();
  }

  /** How often each of the texts stands there. */
  async counts(texts) {
    const lines = await this.lines();
    return texts.map((text) => lines.filter((line) => line.includes(text)).length);
  }

  async option(name) {
    await this.panel.getByRole('button', { name: 'Chat options' }).click();
    await this.page.getByRole('menu', { name: 'Chat options' }).getByText(name).click();
  }

  /** This person's name, from what they said. */
  async ownName() {
    return this.page.locator('.m.mine .who').first().innerText();
  }
}
