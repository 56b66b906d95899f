// The order of a chat: ids are `epoch-number`, compared one after the other. Pure.

/** Negative when `a` comes before `b`. */
export function compareIds(a: string, b: string): number {
  const [epochA, numberA] = partsOf(a);
  const [epochB, numberB] = partsOf(b);
  return epochA === epochB ? numberA - numberB : epochA - epochB;
}

function partsOf(id: string): [number, number] {
  const dash = id.indexOf('-');
  return [Number(id.slice(0, dash)), Number(id.slice(dash + 1))];
}
