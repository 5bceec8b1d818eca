import type { CharacterSet } from './character-set.ts';

/** A part of a regular expression. */
export type PatternNode =
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'sequence' | 'either'; readonly parts: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly part: PatternNode; readonly least: number; readonly most: number | null }
  | { readonly kind: 'ahead' | 'not-ahead'; readonly part: PatternNode }
  /** `^`, `$`, `\b` and `\B`. */
  | { readonly kind: 'start' | 'end' | 'word-border' | 'no-word-border' };

/** Whether a part looks at what is around it. */
export function isConditional(node: PatternNode): boolean {
  switch (node.kind) {
    case 'set':
      return false;
    case 'sequence':
    case 'either':
      return node.parts.some(isConditional);
    case 'repeat':
      return isConditional(node.part);
    default:
      return true;
  }
}
