import { createHash } from 'node:crypto';
import type { OutputConstraint } from '#contracts';
import { behindReasoning, callGrammar } from './calls/call-grammar.ts';
import type { GrammarNode } from './grammar-node.ts';
import { GrammarParts } from './grammar-parts.ts';
import { SchemaGrammar } from './schema-grammar.ts';
import { JSON_SPELLING } from './spelling.ts';

/** A constraint that has a grammar. */
export type HeldConstraint = Exclude<OutputConstraint, { type: 'text' }>;

/** The same for constraints whose grammars are: whatever the budget. */
export function constraintKey({ reasoning, ...held }: HeldConstraint): string {
  const block = reasoning && { format: reasoning.format, start: reasoning.start };
  const constraint = block === undefined ? held : { ...held, reasoning: block };
  return createHash('sha256').update(JSON.stringify(constraint)).digest('base64');
}

/** The grammar of the answers that a constraint allows. @throws SchemaRefusedError */
export function constraintGrammar(constraint: HeldConstraint): GrammarNode {
  if (constraint.type === 'tool_calls') return callGrammar(constraint);
  const parts = new GrammarParts(JSON_SPELLING);
  const schema = constraint.type === 'json_object' ? { type: 'object' } : constraint.schema;
  const document = new SchemaGrammar(parts, schema).document();
  return parts.rules.compile(behindReasoning(parts, constraint.reasoning, document));
}
