// The right end of the header: "Sign in" for a guest, the face with its menu for whoever has an account.
import { theBearer } from '../lib/bearer';
import { Avatar } from '../ui/Avatar';
import { Button } from '../ui/Button';
import { gear, signOut, users } from '../ui/icons';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';
import { useMenu } from '../ui/use_menu';
import { navigate, pathOf } from '../ui/router';
import { words } from '../words';
import { openDoor } from './door';
import { leave } from './sign_out';

export function AccountMenu() {
  const who = theBearer().who.value;
  const { open, button, toggle, close } = useMenu();
  if (who.kind === 'guest') return <Button size="sm" onClick={() => openDoor('sign_in')}>{words.header.signIn}</Button>;
  const { known } = who;
  const pick = (act: () => void) => () => { close(); act(); };
  return (
    <span class="account-menu">
      <button ref={button} class="face" type="button" aria-label={words.header.accountOf(known.name)} aria-haspopup="menu" aria-expanded={open} onClick={toggle}>
        <Avatar person={known} size={32} />
      </button>
      {open && (
        <Menu label={known.name} class="below" onClose={close}>
          <MenuItem icon={gear} onSelect={pick(() => navigate(pathOf({ kind: 'account' })))}>{words.header.settings}</MenuItem>
          <MenuItem icon={users} onSelect={pick(() => navigate(pathOf({ kind: 'friends', person: null })))}>{words.header.friends}</MenuItem>
          <MenuRule />
          <MenuItem icon={signOut} onSelect={pick(() => void leave())}>{words.header.signOut}</MenuItem>
        </Menu>
      )}
    </span>
  );
}
