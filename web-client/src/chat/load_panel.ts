// The chat beside a picture comes after it: what is said there is shown at its moment, which is never the first.
export const loadPanel = () => import('./ChatPanel').then((module) => module.ChatPanel);
