// In whose name a page asks for what moderators see: that of its private link, or of whoever is signed in here.
import { asMe } from '../account/account_api';
import type { AsModerator } from './desk';

export function moderatorOf(token: string | undefined): AsModerator {
  return token === undefined ? asMe : (ask) => ask({ token });
}
