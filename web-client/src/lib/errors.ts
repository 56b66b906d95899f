// What can go wrong between this page and the server, as closed sets. Words for people are chosen by the interface from `code`.
import type { ErrorCode, ErrorView } from '../protocol';

/** The server's stable codes, and of our own: two for when it could not be asked, and two for a message that waited for a moderator in vain. */
export type FailureCode = ErrorCode | 'disconnected' | 'timeout' | 'turned_down' | 'not_looked_at';

/** The compiler asks for each one that the protocol has. */
const SERVER_CODES: Record<ErrorCode, 1> = {
  unsupported_protocol: 1, unknown_message: 1, malformed_message: 1, hello_first: 1, not_joined: 1, invalid_token: 1, token_expired: 1,
  forbidden: 1, not_friends: 1, invitation_expired: 1, removed: 1, video_full: 1, not_found: 1, ended: 1, conflict: 1, publisher_present: 1,
  malformed_sdp: 1, unacceptable_sdp: 1, invalid_value: 1, too_large: 1, rate_limited: 1, full: 1, shutting_down: 1, unavailable: 1, internal: 1,
  wrong_credentials: 1, sign_in_ended: 1, name_taken: 1, email_taken: 1, slow_down: 1, timed_out: 1, banned: 1, chat_restricted: 1, filtered: 1,
  held: 1,
};

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
    const code = Object.hasOwn(SERVER_CODES, view.code) ? view.code : 'internal';
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
