import { type ComponentType, h, render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Later } from './Over';

/** As much of a document as Preact needs to draw text. */
class FakeNode {
  parentNode: FakeNode | null = null;
  readonly childNodes: FakeNode[] = [];
  data = '';

  get firstChild(): FakeNode | null {
    return this.childNodes[0] ?? null;
  }
  get nextSibling(): FakeNode | null {
    const siblings = this.parentNode?.childNodes ?? [];
    return siblings[siblings.indexOf(this) + 1] ?? null;
  }
  get text(): string {
    return this.data + this.childNodes.map(({ text }) => text).join('');
  }

  insertBefore(node: FakeNode, before: FakeNode | null): void {
    node.remove();
    this.childNodes.splice(before ? this.childNodes.indexOf(before) : this.childNodes.length, 0, node);
    node.parentNode = this;
  }
  appendChild(node: FakeNode): void {
    this.insertBefore(node, null);
  }
  removeChild(node: FakeNode): void {
    node.remove();
  }
  remove(): void {
    this.parentNode?.childNodes.splice(this.parentNode.childNodes.indexOf(this), 1);
    this.parentNode = null;
  }
}

beforeEach(() => {
  vi.stubGlobal('document', {
    createTextNode: (data: string) => Object.assign(new FakeNode(), { data }),
    createElementNS: () => new FakeNode(),
    createElement: () => new FakeNode(),
  });
});
afterEach(() => vi.unstubAllGlobals());

/** A loader whose component comes when the test says so. */
function slow<P>() {
  let resolve: (component: ComponentType<P>) => void = () => undefined;
  const promise = new Promise<ComponentType<P>>((settle) => { resolve = settle; });
  return { load: () => promise, comes: (component: ComponentType<P>) => act(async () => { resolve(component); await promise; }) };
}

type Properties = { name: string };
const saying = (what: string): ComponentType<Properties> => ({ name }) => h('b', null, `${what} ${name}`);

const draw = (root: FakeNode, load: () => Promise<ComponentType<Properties>>, name: string) =>
  act(() => render(h(Later<Properties>, { load, properties: { name }, meanwhile: 'nothing' }), root as unknown as Element));

test('what was loaded for one is not drawn with the properties of another that stands in its place', async () => {
  const root = new FakeNode();
  const [a, b] = [slow<Properties>(), slow<Properties>()];
  await draw(root, a.load, 'one');
  await a.comes(saying('A'));
  expect(root.text).toBe('A one');
  await draw(root, b.load, 'two');
  expect(root.text).toBe('nothing');
  await b.comes(saying('B'));
  expect(root.text).toBe('B two');
});

test('what comes after its place has gone to another is not drawn', async () => {
  const root = new FakeNode();
  const [a, b] = [slow<Properties>(), slow<Properties>()];
  await draw(root, a.load, 'one');
  await draw(root, b.load, 'two');
  await b.comes(saying('B'));
  await a.comes(saying('A'));
  expect(root.text).toBe('B two');
});
