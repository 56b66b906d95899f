// Leaving: the server first, then every tab. A server that does not answer leaves everything as it was, and that is said.
import { signOut } from '../lib/auth_api';
import { theBearer } from '../lib/bearer';
import { showToast } from '../ui/Toast';
import { words } from '../words';

export async function leave(): Promise<void> {
  const say = words.signedOut;
  try {
    await signOut();
  } catch {
    showToast({ kind: 'trouble', title: say.failed, line: say.failedLine });
    return;
  }
  theBearer().signedOut();
  showToast({ title: say.title });
}
