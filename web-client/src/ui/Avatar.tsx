// A person's face: their picture, or two initials while there is none. Round, as people alone are.
import { useState } from 'preact/hooks';

export type Face = { id: string; name: string; picture_version: number };

export type AvatarProps = {
  person: Face;
  /** Pixels. */
  size?: number;
  /** A dot: `watching` (green), `online` (grey). */
  dot?: 'watching' | 'online' | undefined;
  /** There was a picture once, and there is none now. */
  onMissing?: () => void;
};

/** Beside a name it says nothing more, so it is silent. */
export function Avatar({ person, size = 32, dot, onMissing }: AvatarProps) {
  const url = pictureUrl(person);
  const [failed, setFailed] = useState<string | null>(null);
  const picture = url !== null && failed !== url;
  return (
    // Initials are drawn by the style sheet: they stand for a face and are no words of their own.
    <span class="avatar" style={{ '--size': `${size}px` }} aria-hidden="true" data-initials={picture ? undefined : initialsOf(person.name)}>
      {picture && <img src={url} alt="" width={size} height={size} decoding="async" onError={() => { setFailed(url); onMissing?.(); }} />}
      {dot && <i class={dot} />}
    </span>
  );
}

/** `null`: there has never been one. */
export function pictureUrl({ id, picture_version }: Face): string | null {
  return picture_version === 0 ? null : `/api/v1/users/${encodeURIComponent(id)}/picture?v=${picture_version}`;
}

/** Of the first and the last word: "Ann of Green Gables" is AG. */
export function initialsOf(name: string): string {
  const all = name.trim().split(/[\s._-]+/).filter(Boolean);
  const first = (word: string | undefined): string => [...(word ?? '')][0] ?? '';
  return (first(all[0]) + (all.length > 1 ? first(all.at(-1)) : '')).toUpperCase();
}
