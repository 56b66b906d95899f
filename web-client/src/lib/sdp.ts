// The few lines of SDP that no browser interface sets.

/** Asks for stereo Opus (RFC 7587 section 6.1: mono is what is played unless the receiver says `stereo=1`). */
export function withStereo(sdp: string): string {
  const payloadTypes = [...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000\/2/gim)].map((match) => match[1]);
  return payloadTypes.reduce<string>((text, type) => {
    const fmtp = new RegExp(`^(a=fmtp:${type} )(?!.*\\bstereo=)(.*)$`, 'gim');
    return text.replace(fmtp, '$1$2;stereo=1');
  }, sdp);
}

/**
 * The offer as the server is to read it: it opens DTLS, which saves two round trips, and offers AES-GCM alone (docs/protocol.md, "Who opens DTLS").
 * What the browser set as its own description stays as it was: there it takes either side.
 */
export function withServerOpening(sdp: string): string {
  return sdp.replace(/^a=setup:actpass(\r?\n)/gm, 'a=setup:passive$1a=x-srtp-profiles:SRTP_AEAD_AES_128_GCM$1');
}

/** Browsers that take AES-GCM for SRTP, by their first version where we are sure of it; nothing else tells. */
const TAKES_GCM = [/Chrome\/(\d+)/, /Firefox\/(\d+)/];
const SINCE = 120;

/** Whether a browser of this name may be offered AES-GCM alone. */
export function takesGcm(userAgent: string): boolean {
  return TAKES_GCM.some((name) => Number(name.exec(userAgent)?.[1] ?? 0) >= SINCE);
}
