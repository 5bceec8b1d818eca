import type { Language } from '../regular/regular-language.ts';

/** A part of a rule, whichever notation it is written in. */
export type GrammarPart =
  | { readonly kind: 'text'; readonly text: string }
  /** Texts of a regular language: a class of characters, a terminal. */
  | { readonly kind: 'language'; readonly language: Language; readonly line: number }
  | { readonly kind: 'rule'; readonly name: string; readonly line: number }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly GrammarPart[] }
  /** `most` is null for no limit. */
  | { readonly kind: 'repeat'; readonly part: GrammarPart; readonly least: number; readonly most: number | null };

export interface WrittenRule {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly part: GrammarPart;
}

/** A grammar as it was read: an answer is what the rule `start` says. */
export interface WrittenGrammar {
  readonly start: string;
  readonly rules: ReadonlyMap<string, WrittenRule>;
}

export const NO_TEXT: GrammarPart = { kind: 'text', text: '' };

/** The parts one behind the other; one part is itself. */
export function inSequence(parts: readonly GrammarPart[]): GrammarPart {
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : { kind: 'sequence', parts };
}

/** One of the parts; one part is itself. */
export function oneOf(parts: readonly GrammarPart[]): GrammarPart {
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : { kind: 'choice', parts };
}
