// The REST interface, typed. Every failure is a `RequestError`; nothing is retried here.
import type {
  BroadcastChanges, BroadcastList, BroadcastView, CreatedBroadcast, HlsPath, Marker, Me, NewBroadcast, NewMarker, Problem,
} from '../protocol';
import { RequestError } from './errors';

/** How long an answer may take, ms. Longer than any healthy one, shorter than a person's patience. */
const TIMEOUT_MS = 10_000;

export type Call = { token?: string | null | undefined; signal?: AbortSignal | undefined; headers?: Readonly<Record<string, string>> };
export type Body = { json: unknown } | { blob: Blob } | null;

/** One request. Rejects with a `RequestError`, or with the signal's reason when that ends it. */
export async function call(method: string, path: string, body: Body, { token, signal, headers: more }: Call): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', ...more };
  if (token) headers['authorization'] = `Bearer ${token}`;
  if (body) headers['content-type'] = 'json' in body ? 'application/json' : body.blob.type;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body ? ('json' in body ? JSON.stringify(body.json) : body.blob) : null,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (thrown) {
    if (signal?.aborted) throw thrown;
    throw timeout.aborted ? RequestError.timeout() : RequestError.disconnected();
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response: Response): Promise<RequestError> {
  const problem = await response.json().then((json: Partial<Problem>) => json, () => null);
  const wait = retryAfterMs(response.headers.get('retry-after'));
  if (problem?.code) {
    const { code, detail: message = response.statusText, retryable = false } = problem;
    return RequestError.fromView({ code, message, retryable, ...(wait === null ? {} : { retry_after_ms: wait }) });
  }
  // Not from our server, or from a proxy before it: the status code has to do.
  const retryable = response.status >= 500 || response.status === 429;
  const code = response.status === 404 ? 'not_found' : retryable ? 'unavailable' : 'internal';
  return new RequestError(code, response.statusText || `HTTP ${response.status}`, retryable, wait);
}

/** Seconds (RFC 9110 section 10.2.3); the other form, a date, is not sent by our server. */
function retryAfterMs(field: string | null): number | null {
  return field !== null && /^\d{1,9}$/.test(field) ? Number(field) * 1000 : null;
}

const broadcastPath = (idOrSlug: string): string => `/api/v1/broadcasts/${encodeURIComponent(idOrSlug)}`;

/** Public broadcasts, live first. */
export async function listBroadcasts(options: Call = {}): Promise<BroadcastView[]> {
  const response = await call('GET', '/api/v1/broadcasts', null, options);
  return ((await response.json()) as BroadcastList).broadcasts;
}

export async function getBroadcast(idOrSlug: string, options: Call = {}): Promise<BroadcastView> {
  return (await call('GET', broadcastPath(idOrSlug), null, options)).json() as Promise<BroadcastView>;
}

/** Where its HLS is for whoever may watch it. */
export async function hlsPath(idOrSlug: string, options: Call): Promise<HlsPath> {
  return (await call('GET', `${broadcastPath(idOrSlug)}/hls`, null, options)).json() as Promise<HlsPath>;
}

export async function createBroadcast(broadcast: NewBroadcast, options: Call = {}): Promise<CreatedBroadcast> {
  return (await call('POST', '/api/v1/broadcasts', { json: broadcast }, options)).json() as Promise<CreatedBroadcast>;
}

export async function updateBroadcast(id: string, changes: BroadcastChanges, options: Call): Promise<void> {
  await call('PATCH', broadcastPath(id), { json: changes }, options);
}

/** Ends the broadcast for good. */
export async function endBroadcast(id: string, options: Call): Promise<void> {
  await call('DELETE', broadcastPath(id), null, options);
}

export async function addMarker(id: string, marker: NewMarker, options: Call): Promise<Marker> {
  return (await call('POST', `${broadcastPath(id)}/markers`, { json: marker }, options)).json() as Promise<Marker>;
}

/** A JPEG of at most 200 KB. */
export async function putPoster(id: string, jpeg: Blob, options: Call): Promise<void> {
  await call('PUT', `${broadcastPath(id)}/poster`, { blob: jpeg }, options);
}

/** Where the poster is, or `null` when there is none yet. */
export function posterUrl(broadcast: Pick<BroadcastView, 'id' | 'poster_version'>): string | null {
  return broadcast.poster_version === 0 ? null : `${broadcastPath(broadcast.id)}/poster?v=${broadcast.poster_version}`;
}

export async function getMe(options: Call = {}): Promise<Me> {
  return (await call('GET', '/api/v1/me', null, options)).json() as Promise<Me>;
}
