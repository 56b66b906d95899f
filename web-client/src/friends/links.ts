// Addresses within a text, so that a match can be sent to a friend. Pure.

export type Piece = { kind: 'text'; text: string } | { kind: 'link'; text: string; href: string; here: boolean };

const ADDRESS = /\bhttps?:\/\/[^\s<>"]+/giu;
/** What ends a sentence is not part of an address. */
const SENTENCE_END = /[.,;:!?'")\]}…]+$/u;

/** `origin`: of this site; its addresses stay within the page. */
export function pieces(text: string, origin: string = globalThis.location?.origin ?? ''): Piece[] {
  const found: Piece[] = [];
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
