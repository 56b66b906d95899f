// The bar on top of every place, and the tab bar that stands in for its links on phones.
import { AccountMenu } from '../account/AccountMenu';
import { FriendsButton, FriendsCount } from '../friends/FriendsButton';
import { words } from '../words';
import { Button, IconButton } from './Button';
import { Icon } from './Icon';
import { broadcast, house, houseFill, moon, sun, users, usersFill } from './icons';
import { place } from './router';
import { theme, toggleTheme } from './theme';

/** `goLive` off in the Studio, where the page has its own; `signIn` off where the page is for just that. */
export function Header({ goLive = true, signIn = true }: { goLive?: boolean; signIn?: boolean }) {
  const at = place.value.kind;
  return (
    <header class="top">
      <a class="skip btn primary" href="#main">{words.header.skip}</a>
      <a class="logo" href="/">
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M4 2v18h18M4 9.5A10.5 10.5 0 0 1 14.5 20" fill="none" stroke="currentColor" stroke-width="2.6" />
          <circle cx="18" cy="6" r="3.6" fill="var(--live)" />
        </svg>
        {words.product}
      </a>
      <nav class="nav" aria-label={words.header.main}>
        <a href="/" aria-current={at === 'home' ? 'page' : undefined}>{words.header.live}</a>
      </nav>
      <span class="grow" />
      {goLive && <Button href="/studio" size="sm" icon={broadcast} class="wide-only">{words.header.goLive}</Button>}
      <IconButton
        icon={theme.value === 'dark' ? sun : moon}
        label={theme.value === 'dark' ? words.header.toLight : words.header.toDark}
        tip="end"
        below
        onClick={toggleTheme}
      />
      {signIn && <FriendsButton />}
      {signIn && <AccountMenu />}
    </header>
  );
}

export function TabBar() {
  const at = place.value.kind;
  return (
    <nav class="tabbar" aria-label={words.header.main}>
      <a href="/" aria-current={at === 'home' ? 'page' : undefined}><Icon svg={at === 'home' ? houseFill : house} size="l" />{words.header.live}</a>
      <a href="/studio" aria-current={at === 'studio' ? 'page' : undefined}><Icon svg={broadcast} size="l" />{words.header.goLive}</a>
      <a href="/friends" aria-current={at === 'friends' ? 'page' : undefined}><span class="friends-button"><Icon svg={at === 'friends' ? usersFill : users} size="l" /><FriendsCount /></span>{words.header.friends}</a>
    </nav>
  );
}
