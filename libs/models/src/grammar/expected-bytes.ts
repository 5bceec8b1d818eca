import type { GrammarState, GrammarStates } from './grammar-states.ts';

const SPACE = 0x20;

/** Whether all that may come next is a space or one other byte: behind commas and colons. */
export function maySpace(states: GrammarStates, state: GrammarState): boolean {
  const next = states.nextBytes(state, 2);
  return next !== null && next.length === 2 && next.includes(SPACE);
}

/**
 * What a text goes on with as far as it has no choice; with `spaced`, no choice but that between a space and none.
 * @param spaced whether it takes the space
 * @param most bytes
 * @throws GrammarWorkError
 */
export function expectedBytes(
  states: GrammarStates,
  start: GrammarState,
  most: number,
  spaced: boolean | null = null,
): Uint8Array {
  const bytes: number[] = [];
  states.startWork();
  let state: GrammarState | null = start;
  while (state !== null && bytes.length < most) {
    const next = states.nextBytes(state, 2) ?? [];
    const byte: number | undefined = next.length < 2 ? next[0] : next.find((each) => (each === SPACE) === spaced);
    if (byte === undefined || (next.length === 2 && (spaced === null || !next.includes(SPACE)))) break;
    bytes.push(byte);
    state = states.step(state, byte);
  }
  return Uint8Array.from(bytes);
}
