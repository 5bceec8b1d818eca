/**
 * What holds answers to a form: the part of `#models` that an engine's thread needs, without tokenizers and templates.
 *
 * @module
 * @example
 * import { GrammarConstraints } from '#models/grammar';
 * const constraints = new GrammarConstraints(tokenTable, vocabularySize);
 * const constraint = constraints.create({ type: 'json_schema', schema: { type: 'integer' } }, [2]);
 */
export { constraintGrammar, type HeldConstraint } from './constraint-grammar.ts';
export { flatGrammar } from './flat-grammar.ts';
export { GrammarConstraints } from './grammar-constraints.ts';
export { SchemaGrammar } from './schema-grammar.ts';
export { SchemaRefusedError } from './schema-refused-error.ts';
