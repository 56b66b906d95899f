// One icon, decorative: the control around it carries the name.

/** `svg` is one of `icons.ts`. Sizes: `s` 16 px in text, `m` 20 px in controls, `l` 24 px in the tab bar. */
export function Icon({ svg, size = 'm', class: className = '' }: { svg: string; size?: 's' | 'm' | 'l'; class?: string }) {
  const inner = svg.slice(svg.indexOf('>') + 1, svg.lastIndexOf('</svg>'));
  return (
    <svg
      class={`ic ${size === 'm' ? '' : `ic-${size}`} ${className}`}
      viewBox="0 0 256 256"
      aria-hidden="true"
      // Text of our own build, never of a visitor.
      dangerouslySetInnerHTML={{ __html: inner }}
    />
  );
}
