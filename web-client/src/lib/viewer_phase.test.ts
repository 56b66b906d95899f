import { expect, test } from 'vitest';
import { RequestError } from './errors';
import { type ViewerFacts, phaseOf } from './viewer_phase';

const NOTHING: ViewerFacts = {
  failure: null, state: null, hadPicture: false, flowing: false, blocked: false, cannotDecode: null, publisherReturning: false, silentSinceMs: 7,
};
const LIVE: ViewerFacts = { ...NOTHING, state: 'live' };
const PLAYING: ViewerFacts = { ...LIVE, flowing: true, hadPicture: true };
const failed = (code: RequestError['code']): ViewerFacts => ({ ...PLAYING, failure: new RequestError(code, '', false) });

test.each<[string, ViewerFacts, object]>([
  ['nothing known', NOTHING, { kind: 'connecting' }],
  ['nobody publishes yet', { ...NOTHING, state: 'idle', blocked: true }, { kind: 'waiting' }],
  ['live, first packets on their way', LIVE, { kind: 'connecting' }],
  ['packets but no frame yet', { ...LIVE, flowing: true }, { kind: 'connecting' }],
  ['picture', PLAYING, { kind: 'playing' }],
  ['publisher vanished while its last packets play', { ...PLAYING, state: 'reconnecting' }, { kind: 'reconnecting', why: 'publisher', sinceMs: 7 }],
  ['publisher back, no frame yet', { ...PLAYING, flowing: false, publisherReturning: true }, { kind: 'reconnecting', why: 'publisher', sinceMs: 7 }],
  ['our network broke', { ...PLAYING, flowing: false }, { kind: 'reconnecting', why: 'network', sinceMs: 7 }],
  ['our network lets nothing through', { ...LIVE, blocked: true }, { kind: 'blocked', reason: 'network' }],
  ['a codec this browser lacks', { ...LIVE, cannotDecode: 'h264' }, { kind: 'blocked', reason: 'codec', codec: 'h264' }],
  ['over', { ...PLAYING, state: 'ended' }, { kind: 'ended' }],
  ['over before we joined', failed('ended'), { kind: 'ended' }],
  ['unknown broadcast', failed('not_found'), { kind: 'not_found' }],
  ['bad token', failed('token_expired'), { kind: 'refused', code: 'token_expired' }],
  ['no room', { ...NOTHING, failure: new RequestError('full', '', true) }, { kind: 'full' }],
  ['a passing failure hides behind connecting', { ...NOTHING, failure: RequestError.timeout() }, { kind: 'connecting' }],
])('%s', (_name, facts, phase) => {
  expect(phaseOf(facts)).toEqual(phase);
});
