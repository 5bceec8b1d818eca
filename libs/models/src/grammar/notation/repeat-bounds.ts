import type { GrammarPart } from './grammar-part.ts';
import type { GrammarSource } from './grammar-source.ts';

/** Times that a part may be repeated, as in schemas. */
export const MOST_REPEATS = 1_000_000;
const BOUNDS = /\{\s*(\d*)\s*(?:(,)\s*(\d*)\s*)?\}/y;

/** `*`, `+`, `?`, `{m}`, `{m,}`, `{,n}` or `{m,n}` behind a part; null where there is none. @throws GrammarRefusedError */
export function takeRepeat(source: GrammarSource, part: GrammarPart): GrammarPart | null {
  if (source.take('*')) return { kind: 'repeat', part, least: 0, most: null };
  if (source.take('+')) return { kind: 'repeat', part, least: 1, most: null };
  if (source.take('?')) return { kind: 'repeat', part, least: 0, most: 1 };
  if (!source.startsWith('{')) return null;
  const { told } = source;
  const [, first, comma, last] = source.takeMatch(BOUNDS) ?? [];
  if (first === undefined || (first === '' && !last))
    throw source.refusal(`${told} are no bounds. Write {m}, {m,}, {,n} or {m,n}.`);
  const least = Number(first);
  const most = comma === undefined ? least : last ? Number(last) : null;
  return repeated(source, part, least, most);
}

/** @throws GrammarRefusedError for bounds that are none */
export function repeated(source: GrammarSource, part: GrammarPart, least: number, most: number | null): GrammarPart {
  if (most !== null && most < least)
    throw source.refusal(`a part is repeated at least ${least} and at most ${most} times. Swap the bounds.`);
  if (Math.max(least, most ?? 0) > MOST_REPEATS)
    throw source.unsupported(`a part is repeated more than ${MOST_REPEATS} times. Lower the bound, or leave it out.`);
  return { kind: 'repeat', part, least, most };
}
