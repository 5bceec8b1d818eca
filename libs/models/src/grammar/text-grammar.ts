import type { OutputConstraint } from '#contracts';
import { type ErrorCode, MillraceError } from '#contracts/ports';
import { type GrammarParts, MAX_STATES } from './grammar-parts.ts';
import type { Expression } from './grammar-rules.ts';
import { type Automaton, automatonOf, automatonOfTexts } from './regular/automaton.ts';
import { parsePattern } from './regular/parse-pattern.ts';
import { PatternError } from './regular/pattern-error.ts';

/** A constraint whose answers are texts as they stand, and no JSON. */
export type TextConstraint = Extract<OutputConstraint, { type: 'pattern' | 'choice' }>;

/** The texts that a constraint allows. @throws MillraceError where it allows none, or can not be enforced */
export function textDocument(parts: GrammarParts, constraint: TextConstraint): Expression {
  const automaton =
    constraint.type === 'choice' ? automatonOfTexts(constraint.texts) : automatonOfPattern(parts, constraint.pattern);
  if (automaton === null || automaton.length > MAX_STATES) {
    throw refusal('unsupported_parameter', `it needs more than ${MAX_STATES} states. Make it smaller`);
  }
  if (automaton.length === 0) throw refusal('invalid_request', 'no text fits it. Change it');
  return parts.rules.addText(automaton);
}

/** Of the texts that the pattern matches from their first character to their last. */
function automatonOfPattern({ languages }: GrammarParts, pattern: string): Automaton | null {
  try {
    // By itself first: `a)|(b` is a pattern only with the parentheses around it.
    parsePattern(languages, pattern);
    return automatonOf(languages, parsePattern(languages, `^(?:${pattern})$`), MAX_STATES);
  } catch (error) {
    if (error instanceof PatternError) throw refusal('unsupported_parameter', error.message);
    throw error;
  }
}

function refusal(code: ErrorCode, problem: string): MillraceError {
  return new MillraceError(code, `The form of the answer can not be enforced: ${problem}.`, { param: '' });
}
