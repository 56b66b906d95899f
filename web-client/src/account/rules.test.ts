import { expect, test } from 'vitest';
import { RequestError } from '../lib/errors';
import { accountWords } from '../account_words';
import { emailProblem, explain, nameProblem, newPasswordProblem, problems, secondsLeft } from './rules';

const say = accountWords.problems;

test('names are judged as the server judges them', () => {
  for (const right of ['Ann', '  Ann \t of  Green Gables ', 'é'.repeat(40), '👩‍🚒'.slice(0, 2)]) expect(nameProblem(right)).toBeNull();
  expect(['', '   ', 'x'.repeat(41), 'Ann\u200b', '\u202ennA'].map(nameProblem)).toEqual([
    say.nameMissing, say.nameMissing, say.nameLong, say.nameInvisible, say.nameInvisible,
  ]);
});

test('an address needs something on both sides of one @', () => {
  for (const right of ['ann@example.org', ' a@b ', 'ann+x@münchen.example']) expect(emailProblem(right)).toBeNull();
  expect(['', 'ann', 'ann@', '@example.org', 'a b@c.org', 'a@b@c'].map(emailProblem)).toEqual([say.emailMissing, ...Array(5).fill(say.emailWrong)]);
});

test('a chosen password is long enough and not what everybody knows', () => {
  const about = ['Ann of Green Gables', 'ann@example.org'];
  for (const right of ['correct horse', '12'.repeat(128), 'пароль-пароль']) expect(newPasswordProblem(right, about)).toBeNull();
  expect(['short', 'aaaaaaaaaa', 'ANN@example.org', 'ann of green gables', '12'.repeat(129)].map((text) => newPasswordProblem(text, about))).toEqual([
    say.passwordShort(8), say.passwordObvious, say.passwordObvious, say.passwordObvious, say.passwordLong(256),
  ]);
});

test('a refusal is told beside the field that it is about, or for the whole form where there is no such field', () => {
  const refused = (code: ConstructorParameters<typeof RequestError>[0], field: string | null = null) => new RequestError(code, '', false, null, field);
  expect(explain(refused('wrong_credentials'), ['email', 'password'])).toEqual({ password: say.passwordWrong });
  expect(explain(refused('wrong_credentials'), ['current', 'new'], 'current')).toEqual({ current: say.passwordWrong });
  expect(explain(refused('email_taken'), ['name', 'email', 'password'])).toEqual({ email: say.emailTaken });
  expect(explain(refused('name_taken'), ['name'])).toEqual({ name: say.nameTaken });
  expect(explain(refused('name_taken'), ['email'])).toEqual({ form: say.nameTaken });
  expect(explain(refused('invalid_value', 'new'), ['current', 'new'])).toEqual({ new: say.passwordObvious });
  expect(explain(refused('invalid_value', 'code'), ['password'])).toEqual({ form: say.codeUsed });
  expect(explain(refused('timeout'), ['email'])).toEqual({ form: say.network });
});

test('only what is wrong is a problem', () => {
  expect(problems({ name: null, email: 'no' })).toEqual({ email: 'no' });
});

test('a wait is told in whole seconds and never negative', () => {
  expect([5_000, 4_001, 3_999, 0].map((nowMs) => secondsLeft(5_000, nowMs))).toEqual([0, 1, 2, 5]);
});
