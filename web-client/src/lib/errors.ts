// What can go wrong between this page and the server, as closed sets. Words for people are chosen by the interface from `code`.
import type { ErrorCode, ErrorView } from '../protocol';

/** The server's stable codes, and of our own: two for when it could not be asked, and two for a message that waited for a moderator in vain. */
export type FailureCode = ErrorCode | 'disconnected' | 'timeout' | 'turned_down' | 'not_looked_at';

const SERVER_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'unsupported_protocol', 'unknown_message', 'malformed_message', 'hello_first', 'not_joined', 'invalid_token', 'token_expired',
  'forbidden', 'not_friends', 'not_found', 'ended', 'conflict', 'publisher_present', 'malformed_sdp', 'unacceptable_sdp', 'invalid_value', 'too_large',
  'rate_limited', 'full', 'shutting_down', 'unavailable', 'internal', 'wrong_credentials', 'sign_in_ended', 'name_taken', 'email_taken',
  'slow_down', 'timed_out', 'banned',
  'chat_restricted', 'filtered', 'held',
]);

/** A request that was not carried out. `retryable`: the same request may succeed later, after `retryAfterMs` where that is known. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  /** `retryAfterMs`: how long the server asks to wait, where it says so. `field`: what was filled in wrongly, where it says so. */
  constructor(
    readonly code: FailureCode, message: string, readonly retryable: boolean,
    readonly retryAfterMs: number | null = null, readonly field: string | null = null,
  ) {
    super(message);
  }

  static fromView(view: ErrorView): RequestError {
    // A newer server may know codes that this page does not: they behave as `internal`.
    const code = SERVER_CODES.has(view.code) ? view.code : 'internal';
    return new RequestError(code, view.message, view.retryable, view.retry_after_ms ?? null, fieldOf(view));
  }

  static disconnected(): RequestError {
    return new RequestError('disconnected', 'The connection to the server was lost.', true);
  }

  static timeout(): RequestError {
    return new RequestError('timeout', 'The server did not answer in time.', true);
  }
}

/** The server names the field first, in backticks. */
function fieldOf({ code, message }: ErrorView): string | null {
  return code === 'invalid_value' ? /^`(\w+)`/.exec(message)?.[1] ?? null : null;
}

/** Any thrown value as a `RequestError`; what is unknown counts as `internal`. */
export function asRequestError(thrown: unknown): RequestError {
  if (thrown instanceof RequestError) return thrown;
  return new RequestError('internal', thrown instanceof Error ? thrown.message : String(thrown), true);
}
