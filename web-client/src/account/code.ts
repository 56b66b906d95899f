// The code that a letter's link carries behind its `#`, where no server sees it: read once and taken out of the address.

export function takeCode(): string | null {
  const code = location.hash.slice(1).trim();
  if (code !== '') history.replaceState(history.state, '', location.pathname);
  return code === '' ? null : code;
}
