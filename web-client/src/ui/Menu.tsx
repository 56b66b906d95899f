// A menu: rows with a tick on the left and a detail on the right. Arrows move, Esc closes. On phones it comes up as a sheet.
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Sheet } from './Dialog';
import { useMedia, useScope } from './hooks';
import { Icon } from './Icon';
import { check } from './icons';

export type MenuProps = {
  label: string;
  /** Over the picture: never themed. */
  dark?: boolean;
  class?: string;
  children: ComponentChildren;
  onClose: () => void;
};

export function Menu({ label, dark, class: extra, children, onClose }: MenuProps) {
  const phone = useMedia('(max-width: 767px)');
  const list = useRef<HTMLDivElement>(null);

  // Before the next key: whoever presses on at once is in the menu.
  useLayoutEffect(() => {
    const first = list.current?.querySelector<HTMLElement>('[aria-checked="true"]') ?? list.current?.querySelector<HTMLElement>('.item');
    first?.focus({ preventScroll: true });
  }, [phone]);

  useScope((until) => {
    if (phone) return;
    document.addEventListener('pointerdown', (event) => {
      if (!(event.target instanceof Element)) return;
      // The button that opened the menu closes it by itself.
      if (!list.current?.contains(event.target) && !event.target.closest('[aria-haspopup="menu"]')) onClose();
    }, { signal: until, capture: true });
  }, [phone, onClose]);

  const move = (event: KeyboardEvent) => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('.item:not([aria-disabled="true"])') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const go = (index: number) => { items[(index + items.length) % items.length]?.focus(); event.preventDefault(); };
    switch (event.key) {
      case 'ArrowDown': go(at + 1); break;
      case 'ArrowUp': go(at - 1); break;
      case 'Home': go(0); break;
      case 'End': go(items.length - 1); break;
      case 'Escape': case 'Tab': onClose(); if (event.key === 'Escape') event.preventDefault(); break;
      default: return;
    }
    event.stopPropagation();
  };

  const menu = (
    <div ref={list} class={`menu ${dark ? 'dark' : ''} ${phone ? '' : extra ?? ''}`} role="menu" aria-label={label} onKeyDown={move}>
      <div class="title" role="presentation">{label}</div>
      {children}
    </div>
  );
  return phone ? <Sheet label={label} dark={dark ?? false} onClose={onClose}>{menu}</Sheet> : menu;
}

export type MenuItemProps = {
  children: ComponentChildren;
  detail?: ComponentChildren;
  /** Present for one-of-many choices. */
  checked?: boolean;
  /** Present for things that are on or off by themselves. */
  toggled?: boolean;
  icon?: string;
  disabled?: boolean;
  onSelect: () => void;
};

export function MenuItem({ children, detail, checked, toggled, icon, disabled, onSelect }: MenuItemProps) {
  const role = checked !== undefined ? 'menuitemradio' : toggled !== undefined ? 'menuitemcheckbox' : 'menuitem';
  return (
    <button class="item" type="button" role={role} tabIndex={-1} aria-checked={checked ?? toggled} aria-disabled={disabled} onClick={disabled ? undefined : onSelect}>
      <span class="tick">{checked || toggled ? <Icon svg={check} size="s" /> : icon ? <Icon svg={icon} size="s" /> : null}</span>
      {children}
      {detail !== undefined && <small>{detail}</small>}
    </button>
  );
}

export function MenuRule() {
  return <hr role="separator" />;
}
