// Waiting until there is something to go back to.
import { until } from './until.mjs';

/** Of every picture: which one a player takes is its own affair, and on a busy machine the large one begins late. */
export async function recorded(server, slug, seconds) {
  const text = async (file) => {
    const response = await fetch(`${server.url}/hls/${slug}/${file}`);
    return response.ok ? response.text() : '';
  };
  await until(`${seconds} s to be recorded`, async () => {
    const pictures = (await text('dvr.m3u8')).split('\n').filter((line) => /^v\d+\/dvr\.m3u8$/.test(line));
    const lengths = await Promise.all([...new Set(pictures)].map(async (file) => {
      const playlist = await text(file);
      return playlist.split('#EXTINF').length - 1 - (playlist.split('#EXT-X-GAP').length - 1);
    }));
    return lengths.length > 1 && lengths.every((segments) => segments * 2 >= seconds) ? true : void 0;
  }, { within: seconds * 1000 + 20_000 });
}
