// The few lines of SDP that no browser interface sets.

/** Asks for stereo Opus (RFC 7587 section 6.1: mono is what is played unless the receiver says `stereo=1`). */
export function withStereo(sdp: string): string {
  const payloadTypes = [...sdp.matchAll(/^a=rtpmap:(\d+) opus\/48000\/2/gim)].map((match) => match[1]);
  return payloadTypes.reduce<string>((text, type) => {
    const fmtp = new RegExp(`^(a=fmtp:${type} )(?!.*\\bstereo=)(.*)$`, 'gim');
    return text.replace(fmtp, '$1$2;stereo=1');
  }, sdp);
}
