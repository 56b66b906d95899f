// What a link says about a call: `/watch/{slug}?call={id}&invitation={secret}`. The secret leaves the address once it is read, because a shared
// screen shows it; the call stays in it, so that a page that is loaded again finds the way back.

export type CallLink = { call: string; invitation: string | null };

const CALL = 'call';
const INVITATION = 'invitation';

/** From the address of the page; `null`: it names no call. */
export function takeCallLink(): CallLink | null {
  const url = new URL(location.href);
  const call = url.searchParams.get(CALL);
  if (!call) return null;
  const invitation = url.searchParams.get(INVITATION);
  if (invitation !== null) {
    url.searchParams.delete(INVITATION);
    history.replaceState(history.state, '', url);
  }
  return { call, invitation };
}

/** The call this page is in; `null`: in none. */
export function keepCallInAddress(call: string | null): void {
  const url = new URL(location.href);
  if (url.searchParams.get(CALL) === call) return;
  if (call === null) url.searchParams.delete(CALL);
  else url.searchParams.set(CALL, call);
  history.replaceState(history.state, '', url);
}

/** For friends to follow. A token of a private match goes along: without it they could not watch. */
export function callLink(href: string, call: string, invitation: string): string {
  const here = new URL(href);
  const url = new URL(here.pathname, here.origin);
  const token = here.searchParams.get('token');
  if (token !== null) url.searchParams.set('token', token);
  url.searchParams.set(CALL, call);
  url.searchParams.set(INVITATION, invitation);
  return url.href;
}
