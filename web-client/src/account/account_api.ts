// What people see and change of themselves, typed. Asks as whoever is signed in here; every failure is a `RequestError`.
import type { Account, AccountChanges, Device, DeviceList, NewEmail, PasswordChange, StreamKey } from '../protocol';
import { type Body, type Call, call } from '../lib/api';
import { type Fresh, freshOf, signOutEverywhere as endAll } from '../lib/auth_api';
import { theBearer } from '../lib/bearer';
import { RequestError, asRequestError } from '../lib/errors';

const ME = '/api/v1/me';

/** With the account's token; once more with a new one when the server takes the first no longer. */
export async function asMe<T>(ask: (call: { token: string }) => Promise<T>): Promise<T> {
  const bearer = theBearer();
  const token = await mine();
  try {
    return await ask({ token });
  } catch (thrown) {
    const { code } = asRequestError(thrown);
    if ((code !== 'invalid_token' && code !== 'token_expired') || !bearer.refused(token)) throw thrown;
    return ask({ token: await mine() });
  }
}

async function mine(): Promise<string> {
  const token = await theBearer().token();
  if (theBearer().who.value.kind === 'guest' || token === null) throw new RequestError('sign_in_ended', 'Nobody is signed in.', false);
  return token;
}

const ask = (method: string, path: string, body: Body = null, more: Call = {}): Promise<Response> => asMe((own) => call(method, ME + path, body, { ...more, ...own }));

export async function getAccount(options: Call = {}): Promise<Account> {
  return (await ask('GET', '/account', null, options)).json() as Promise<Account>;
}

export async function changeAccount(changes: AccountChanges): Promise<Account> {
  return (await ask('PATCH', '/account', { json: changes })).json() as Promise<Account>;
}

/** A code goes to the new address; until it is answered the old one stays. */
export async function changeEmail(change: NewEmail): Promise<void> {
  await ask('PUT', '/account/email', { json: change });
}

export async function resendVerification(): Promise<void> {
  await ask('POST', '/account/email/verification');
}

/** Every other device is signed out; this one goes on with what is answered. */
export async function changePassword(change: PasswordChange): Promise<Fresh> {
  return freshOf(await ask('PUT', '/account/password', { json: change }));
}

/** JPEG or WebP, at most 128 KiB; its version. */
export async function putPicture(picture: Blob): Promise<number> {
  return versionOf(await ask('PUT', '/account/picture', { blob: picture }));
}

export async function removePicture(): Promise<void> {
  await ask('DELETE', '/account/picture');
}

function versionOf(response: Response): number {
  const version = Number(/^"(\d+)"$/.exec(response.headers.get('etag') ?? '')?.[1]);
  if (!Number.isInteger(version)) throw new RequestError('internal', 'The picture came without its version.', true);
  return version;
}

/** Everything that is kept, as a JSON file. */
export async function exportAccount(): Promise<Blob> {
  return (await ask('GET', '/account/export')).blob();
}

/** For good. */
export async function deleteAccount(password: string): Promise<void> {
  await ask('DELETE', '/account', { json: { password } });
}

/** The last seen first. */
export async function getDevices(options: Call = {}): Promise<Device[]> {
  return ((await (await ask('GET', '/devices', null, options)).json()) as DeviceList).devices;
}

export async function signDeviceOut(id: string): Promise<void> {
  await ask('DELETE', `/devices/${encodeURIComponent(id)}`);
}

export async function signOutEverywhere(): Promise<void> {
  await asMe(endAll);
}

/** `null`: there is none. */
export async function getStreamKey(options: Call = {}): Promise<StreamKey | null> {
  try {
    return (await (await ask('GET', '/stream-key', null, options)).json()) as StreamKey;
  } catch (thrown) {
    if (asRequestError(thrown).code === 'not_found') return null;
    throw thrown;
  }
}

/** A new one in place of the old one; `key` is in this answer and in no other. */
export async function makeStreamKey(): Promise<StreamKey> {
  return (await ask('POST', '/stream-key')).json() as Promise<StreamKey>;
}

export async function dropStreamKey(): Promise<void> {
  await ask('DELETE', '/stream-key');
}
