// Whether the browser plays HLS by itself.
const MIME = 'application/vnd.apple.mpegurl';

export const canPlayByItself = (): boolean => document.createElement('video').canPlayType(MIME) !== '';
