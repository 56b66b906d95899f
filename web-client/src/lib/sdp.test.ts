import { expect, test } from 'vitest';
import { takesGcm, withServerOpening, withStereo } from './sdp';

test('every Opus line asks for stereo once', () => {
  const sdp = 'm=audio 9 x 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n';
  const stereo = withStereo(sdp);
  expect(stereo).toContain('a=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\n');
  expect(stereo).toContain('a=fmtp:63 111/111\r\n');
  expect(withStereo(stereo)).toBe(stereo);
});

test('the server is asked to open on every m-line', () => {
  const sdp = 'm=audio 9 x 111\r\na=setup:actpass\r\na=mid:0\r\nm=video 9 x 96\r\na=setup:actpass\r\n';
  const asked = withServerOpening(sdp);
  expect(asked.match(/^a=setup:passive\r\na=x-srtp-profiles:SRTP_AEAD_AES_128_GCM\r$/gm)).toHaveLength(2);
  expect(asked).not.toContain('actpass');
});

test('only browsers that surely take AES-GCM are offered it alone', () => {
  expect(takesGcm('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36')).toBe(true);
  expect(takesGcm('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe(true);
  expect(takesGcm('Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.72 Safari/537.36')).toBe(false);
  expect(takesGcm('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15')).toBe(false);
});
