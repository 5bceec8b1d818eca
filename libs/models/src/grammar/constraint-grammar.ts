import type { OutputConstraint } from '#contracts';
import { behindReasoning, callGrammar } from './calls/call-grammar.ts';
import type { GrammarNode } from './grammar-node.ts';
import { GrammarParts } from './grammar-parts.ts';
import { SchemaGrammar } from './schema-grammar.ts';
import { JSON_SPELLING } from './spelling.ts';

/** The grammar of the answers that a constraint allows. @throws SchemaRefusedError */
export function constraintGrammar(constraint: Exclude<OutputConstraint, { type: 'text' }>): GrammarNode {
  if (constraint.type === 'tool_calls') return callGrammar(constraint);
  const parts = new GrammarParts(JSON_SPELLING);
  const schema = constraint.type === 'json_object' ? { type: 'object' } : constraint.schema;
  const document = new SchemaGrammar(parts, schema).document();
  return parts.rules.compile(behindReasoning(parts, constraint.reasoning, document));
}
