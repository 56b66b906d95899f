// A section of the settings: a heading and a line on the left, what it is about on the right; one under the other where there is no room.
import type { ComponentChildren } from 'preact';

export function Section({ id, title, line, children }: { id: string; title: string; line: string; children: ComponentChildren }) {
  return (
    <section class="section" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        <p class="muted small">{line}</p>
      </header>
      <div class="panel">{children}</div>
    </section>
  );
}
