// For what is a click and not a form: a failure is told at the edge of the page, with the time to wait where the server names one.
import { asRequestError } from '../lib/errors';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { explain } from './rules';

export function sayFailed(thrown: unknown, title: string = accountWords.failed): void {
  const error = asRequestError(thrown);
  const what = explain(error, [])['form'] ?? accountWords.problems.other;
  const line = error.retryAfterMs === null ? what : `${what} ${accountWords.waitFor(Math.ceil(error.retryAfterMs / 1000))}.`;
  showToast({ kind: 'trouble', title, line });
}
