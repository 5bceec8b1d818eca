import { createHash } from 'node:crypto';
import type { OutputConstraint } from '#contracts';
import { behindReasoning, callGrammar } from './calls/call-grammar.ts';
import type { GrammarNode } from './grammar-node.ts';
import { GrammarParts } from './grammar-parts.ts';
import type { Expression } from './grammar-rules.ts';
import { grammarDocument } from './notation/grammar-document.ts';
import { SchemaGrammar } from './schema-grammar.ts';
import { JSON_SPELLING } from './spelling.ts';
import { textDocument } from './text-grammar.ts';

/** A constraint that has a grammar. */
export type HeldConstraint = Exclude<OutputConstraint, { type: 'text' }>;

/** The same for constraints whose grammars are: whatever the budget. */
export function constraintKey({ reasoning, ...held }: HeldConstraint): string {
  const block = reasoning && { format: reasoning.format, start: reasoning.start };
  const constraint = block === undefined ? held : { ...held, reasoning: block };
  return createHash('sha256').update(JSON.stringify(constraint)).digest('base64');
}

/** The grammar of the answers that a constraint allows. @throws MillraceError, for a schema a SchemaRefusedError */
export function constraintGrammar(constraint: HeldConstraint): GrammarNode {
  if (constraint.type === 'tool_calls') return callGrammar(constraint);
  const parts = new GrammarParts(JSON_SPELLING);
  return parts.rules.compile(behindReasoning(parts, constraint.reasoning, documentOf(parts, constraint)));
}

function documentOf(parts: GrammarParts, constraint: Exclude<HeldConstraint, { type: 'tool_calls' }>): Expression {
  if (constraint.type === 'pattern' || constraint.type === 'choice') return textDocument(parts, constraint);
  if (constraint.type === 'grammar') return grammarDocument(parts, constraint.grammar);
  const schema = constraint.type === 'json_object' ? { type: 'object' } : constraint.schema;
  return new SchemaGrammar(parts, schema).document();
}
