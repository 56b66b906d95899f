// What may be typed into the forms of accounts, by the server's rules, and what a refusal means in words beside its field. Pure.
import type { RequestError } from '../lib/errors';
import { accountWords } from '../account_words';

/** Words by field; `form` is for what no field is to blame for. */
export type Problems = { [field: string]: string };

const NAME_MAX = 40;
export const PASSWORD_MIN = 8;
const PASSWORD_MAX = 256;
/** As the server's: what changes how a name looks without being seen. */
const INVISIBLE = /[\p{Cc}\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/u;

const length = (text: string): number => [...text].length;

export function nameProblem(text: string): string | null {
  const name = text.trim().replace(/\s+/g, ' ');
  if (name === '') return accountWords.problems.nameMissing;
  if (length(name) > NAME_MAX) return accountWords.problems.nameLong;
  return INVISIBLE.test(name) ? accountWords.problems.nameInvisible : null;
}

/** Only what is certainly none: the server and the letter decide. */
export function emailProblem(text: string): string | null {
  const email = text.trim();
  if (email === '') return accountWords.problems.emailMissing;
  return /^[^\s@]+@[^\s@]+$/.test(email) ? null : accountWords.problems.emailWrong;
}

/** For one that is chosen. `about`: name and address, which others guess at once. */
export function newPasswordProblem(password: string, about: readonly string[] = []): string | null {
  if (length(password) < PASSWORD_MIN) return accountWords.problems.passwordShort(PASSWORD_MIN);
  if (length(password) > PASSWORD_MAX) return accountWords.problems.passwordLong(PASSWORD_MAX);
  const known = about.some((text) => text !== '' && text.trim().toLowerCase() === password.toLowerCase());
  return known || new Set(password).size === 1 ? accountWords.problems.passwordObvious : null;
}

/** For one that is asked for. */
export function passwordProblem(password: string): string | null {
  return password === '' ? accountWords.problems.passwordMissing : null;
}

/** Keeps what is wrong. */
export function problems(found: { [field: string]: string | null }): Problems {
  return Object.fromEntries(Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== null));
}

/** What the server's refusal means. `fields`: those of the form, the password that was asked for (not chosen) as `secret`. */
export function explain(error: RequestError, fields: readonly string[], secret = 'password'): Problems {
  const say = accountWords.problems;
  const at = (field: string, text: string): Problems => ({ [fields.includes(field) ? field : 'form']: text });
  switch (error.code) {
    case 'wrong_credentials': return at(secret, say.passwordWrong);
    case 'name_taken': return at('name', say.nameTaken);
    case 'email_taken': return at('email', say.emailTaken);
    case 'invalid_value':
      switch (error.field) {
        case 'code': return { form: say.codeUsed };
        case 'email': return at('email', say.emailWrong);
        case 'name': return at('name', say.nameInvisible);
        case 'password': case 'new': return at(error.field, say.passwordObvious);
        default: return { form: say.other };
      }
    case 'rate_limited': return { form: say.tooMany };
    case 'full': return { form: say.busy };
    case 'not_friends': return { form: say.notFriends };
    case 'forbidden': return { form: say.closed };
    case 'sign_in_ended': return { form: say.signedOut };
    case 'disconnected': case 'timeout': return { form: say.network };
    case 'too_large': return { form: say.tooLarge };
    default: return { form: say.other };
  }
}

/** Seconds until it is worth trying again, at `nowMs`; 0: now. */
export function secondsLeft(untilMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((untilMs - nowMs) / 1000));
}
