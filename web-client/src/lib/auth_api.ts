// `/api/v1/auth`, typed: what sets and reads the refresh cookie, and what letters ask for. Every failure is a `RequestError`.
import type { Account, Credentials, NewAccount, SignedIn } from '../protocol';
import { type Call, call } from './api';

/** Someone is signed in here. `goodUntilMs`: when the token runs out by this machine's clock, which need not be the server's. */
export type Fresh = { account: Account; token: string; goodUntilMs: number };

/** Pages of other sites cannot send it, so the cookie answers to our own pages alone. */
const OURS = { 'x-courtside': '1' };

/** A guest's token makes the account the same person. */
export async function signUp(account: NewAccount, token: string | null): Promise<Fresh> {
  return freshOf(await call('POST', '/api/v1/auth/sign-up', { json: account }, { token, headers: OURS }));
}

export async function signIn(credentials: Credentials): Promise<Fresh> {
  return freshOf(await call('POST', '/api/v1/auth/sign-in', { json: credentials }, { headers: OURS }));
}

/** The next access token, by the cookie. `sign_in_ended`: there is no way but to sign in again. */
export async function refresh(options: Call = {}): Promise<Fresh> {
  return freshOf(await call('POST', '/api/v1/auth/refresh', null, { ...options, headers: OURS }));
}

/** This device. */
export async function signOut(): Promise<void> {
  await call('POST', '/api/v1/auth/sign-out', null, { headers: OURS });
}

/** Every device of the bearer, this one too. */
export async function signOutEverywhere(options: Call): Promise<void> {
  await call('POST', '/api/v1/auth/sign-out-everywhere', null, { ...options, headers: OURS });
}

export async function verifyEmail(code: string): Promise<void> {
  await call('POST', '/api/v1/auth/verify-email', { json: { code } }, {});
}

/** Sends a letter where there is such an account; does not say whether there is. */
export async function forgotPassword(email: string): Promise<void> {
  await call('POST', '/api/v1/auth/forgot-password', { json: { email } }, {});
}

/** Every device is signed out. */
export async function resetPassword(code: string, password: string): Promise<void> {
  await call('POST', '/api/v1/auth/reset-password', { json: { code, password } }, {});
}

/** What signing in, up and on answer. */
export async function freshOf(response: Response): Promise<Fresh> {
  const { account, token, expires_at_ms } = (await response.json()) as SignedIn;
  const serverNowMs = Date.parse(response.headers.get('date') ?? '');
  // Without its date (a proxy may drop it) the clocks are taken to agree.
  const lifeMs = expires_at_ms - (Number.isNaN(serverNowMs) ? Date.now() : serverNowMs);
  return { account, token, goodUntilMs: Date.now() + lifeMs };
}
