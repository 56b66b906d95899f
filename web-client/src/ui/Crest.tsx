// A team's shield. The colour is data of the broadcaster and appears here only, never behind text.

/** Two shapes, so that two teams of one colour still differ: `home` has a pale, `away` a bend. */
export function Crest({ color, side }: { color: string; side: 'home' | 'away' }) {
  const fill = /^#[0-9a-f]{6}$/i.test(color) ? color : '#6c7a7b';
  return (
    <svg class="crest" viewBox="0 0 24 26" aria-hidden="true">
      <path d="M1.5 1.5h21v12c0 6-4.6 9.6-10.5 11.6C6.1 23.1 1.5 19.5 1.5 13.5z" fill={fill} stroke="#808886" stroke-opacity=".6" />
      <path d={side === 'home' ? 'M9 1.5h6v22.4q-1.5.8-3 1.2q-1.5-.4-3-1.2z' : 'M1.5 7.5L22.5 14v5L1.5 12.5z'} fill={contrast(fill)} />
    </svg>
  );
}

/** Near white on dark colours, near black on light ones, by relative luminance (WCAG 2.2). */
function contrast(hex: string): string {
  const part = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5) > 0.4 ? '#15233f' : '#f4f3ee';
}
