import { expect, test } from 'vitest';
import { withStereo } from './sdp';

test('every Opus line asks for stereo once', () => {
  const sdp = 'm=audio 9 x 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n';
  const stereo = withStereo(sdp);
  expect(stereo).toContain('a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\n');
  expect(stereo).toContain('a=fmtp:63 111/111\r\n');
  expect(withStereo(stereo)).toBe(stereo);
});
