import { expect, test } from 'vitest';
import { type Circle, NOBODY, byMatch, changed, circleOf, find, onlineNow, presenceOf } from './circle';
import type { Person, Presence, Relation } from '../protocol';

const person = (id: string, relation: Relation = 'friend'): Person => ({ id, name: id.toUpperCase(), picture_version: 0, relation });
const friend = (id: string, presence: Presence = { online: false }) => ({ person: person(id), since_ms: 1, presence });
const watching = (slug: string): Presence => ({ online: true, watching: { broadcast: `id of ${slug}`, slug, title: slug } });
const names = (circle: Circle) => circle.friends.map((one) => one.person.id).join('');

test('who watches comes first, then who is there, then the others by name', () => {
  const circle = circleOf({ friends: [friend('d'), friend('a'), friend('c', { online: true }), friend('b', watching('final'))], incoming: [], outgoing: [], blocked: [] });
  expect(names(circle)).toBe('bcad');
  expect(names(presenceOf(circle, 'd', watching('final')))).toBe('bdca');
  expect(names(presenceOf(circle, 'b', { online: false }))).toBe('cabd');
});

test('the newest request is the first', () => {
  const circle = circleOf({ friends: [], incoming: [{ person: person('a'), at_ms: 1 }, { person: person('b'), at_ms: 2 }], outgoing: [], blocked: [] });
  expect(circle.incoming.map(({ id }) => id)).toEqual(['b', 'a']);
});

test('a person is in one place, whatever becomes of them', () => {
  let circle = NOBODY;
  for (const relation of ['incoming', 'friend', 'none', 'outgoing', 'friend', 'blocked', 'none'] as const) {
    circle = changed(circle, person('a', relation));
    const places = [circle.friends.map((one) => one.person), circle.incoming, circle.outgoing, circle.blocked];
    expect(places.flat().map(({ id }) => id)).toEqual(relation === 'none' ? [] : ['a']);
    expect(find(circle, 'a')?.relation).toBe(relation === 'none' ? undefined : relation);
  }
});

test('a friend who is told about again stays where they were seen', () => {
  const circle = presenceOf(changed(NOBODY, person('a')), 'a', watching('final'));
  expect(changed(circle, { ...person('a'), name: 'New name' }).friends[0]).toMatchObject({ person: { name: 'New name' }, presence: watching('final') });
});

test('whoever is not among those online is not', () => {
  let circle = ['a', 'b', 'c'].reduce((all, id) => changed(all, person(id)), NOBODY);
  circle = presenceOf(circle, 'a', watching('final'));
  circle = onlineNow(circle, [{ user: 'b' }, { user: 'c', ...{ watching: { broadcast: '1', slug: 'derby', title: 'Derby' } } }, { user: 'stranger' }]);
  expect(circle.friends.map((one) => [one.person.id, one.presence.online, one.presence.watching?.slug])).toEqual([
    ['c', true, 'derby'], ['b', true, undefined], ['a', false, undefined],
  ]);
});

test('friends at one match stand together, the fullest first', () => {
  let circle = ['a', 'b', 'c', 'd'].reduce((all, id) => changed(all, person(id)), NOBODY);
  for (const [id, slug] of [['a', 'derby'], ['b', 'final'], ['c', 'final']] as const) circle = presenceOf(circle, id, watching(slug));
  expect(byMatch(circle.friends).map((match) => [match.slug, match.friends.map((one) => one.person.id).join('')])).toEqual([['final', 'bc'], ['derby', 'a']]);
});
