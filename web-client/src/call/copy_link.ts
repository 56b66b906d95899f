// The link that lets others into a call, made and put where it can be pasted.
import { sayFailed } from '../account/say_failed';
import { showToast } from '../ui/Toast';
import { callWords } from '../call_words';
import { callLink } from './address';
import type { Call } from './call';

/** Never rejects: what went wrong is said. The link, as far as there is one, for who must select it by hand. */
export async function copyCallLink(call: Call): Promise<string | null> {
  const say = callWords.invite;
  try {
    const { invitation, expiresAtMs } = await call.link();
    const id = call.view.peek()?.id;
    if (id === undefined) return null;
    const url = callLink(location.href, id, invitation);
    const until = new Intl.DateTimeFormat(undefined, { weekday: 'short', hour: '2-digit', minute: '2-digit' }).format(expiresAtMs);
    await navigator.clipboard.writeText(url).then(
      () => showToast({ title: say.copied, line: say.copiedLine(until) }),
      () => showToast({ kind: 'trouble', title: say.copyFailed, line: say.copyFailedLine }),
    );
    return url;
  } catch (thrown) {
    sayFailed(thrown);
    return null;
  }
}
