// Why the server did not carry out something about calls, in words.
import { sayFailed } from '../account/say_failed';
import type { RequestError } from '../lib/errors';
import { showToast } from '../ui/Toast';
import { callWords } from '../call_words';

/** `null`: nothing more is known than that it failed. */
export function refusalOf(error: RequestError): string | null {
  return callWords.refused.codes[error.code] ?? null;
}

export function sayRefused(error: RequestError, title: string): void {
  const line = refusalOf(error);
  if (line === null) sayFailed(error, title);
  else showToast({ kind: 'trouble', title, line });
}
