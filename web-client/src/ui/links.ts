// Web addresses within what people write. Pure.

export type LinkPiece = { kind: 'text'; text: string } | { kind: 'link'; text: string; href: string; here: boolean };

const ADDRESS = /\bhttps?:\/\/[^\s<>"`]+/giu;
/** What ends a sentence is not part of an address. */
const SENTENCE_END = /[.,;:!?'"’”)\]}…]+$/u;

/** `here`: of this site (at `origin`), so that it can be followed within the page. */
export function splitLinks(text: string, origin: string = globalThis.location?.origin ?? ''): LinkPiece[] {
  const found: LinkPiece[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const shown = match[0].replace(SENTENCE_END, '');
    const url = parse(shown);
    if (!url) continue;
    if (match.index > from) found.push({ kind: 'text', text: text.slice(from, match.index) });
    const here = url.origin === origin;
    found.push({ kind: 'link', text: shown, href: here ? url.pathname + url.search + url.hash : url.href, here });
    from = match.index + shown.length;
  }
  if (from < text.length) found.push({ kind: 'text', text: text.slice(from) });
  return found;
}

function parse(text: string): URL | null {
  try {
    const url = new URL(text);
    // A name before the host is there to make one address look like another.
    return url.username || url.password ? null : url;
  } catch {
    return null;
  }
}
