import type { OutputConstraint } from '#contracts';
import type { GrammarNode } from './grammar-node.ts';
import { SchemaGrammar } from './schema-grammar.ts';

/** The grammar of the answers that a constraint allows. @throws SchemaRefusedError */
export function constraintGrammar(constraint: OutputConstraint): GrammarNode {
  if (constraint.type === 'tool_calls' || constraint.reasoning !== undefined) {
    throw new Error(`${constraint.type} is not enforced by this version of the worker; update it`);
  }
  return SchemaGrammar.compile(constraint.type === 'json_object' ? { type: 'object' } : constraint.schema);
}
