import { createHash } from 'node:crypto';
import type { OutputConstraint, TokenTable } from '#contracts';
import { GrammarMatch } from './grammar-match.ts';
import { loadXgrammar, type WasmObject, type XgrammarBinding } from './load-xgrammar.ts';
import { SchemaGrammar } from './schema-grammar.ts';
import { byteLevelVocabulary } from './token-vocabulary.ts';

/** Grammars kept compiled; each holds a mask for every state of its automata. */
const MAX_COMPILED = 64;

/**
 * Makes token constraints for one vocabulary. Compiling takes 5 to 1,500 ms by the schema, once per schema; a token's
 * mask then takes 10 to 100 µs. It belongs to its thread, as the WASM memory does.
 */
export class GrammarConstraints {
  readonly #binding: XgrammarBinding;
  readonly #compiler: InstanceType<XgrammarBinding['GrammarCompiler']>;
  readonly #vocabularySize: number;
  /** Least recently used first. */
  readonly #compiled = new Map<string, WasmObject>();

  private constructor(binding: XgrammarBinding, tokenTable: TokenTable, vocabularySize: number) {
    this.#binding = binding;
    this.#vocabularySize = vocabularySize;
    // One token more than the model has stands for the end, whatever a request's stop tokens are.
    using texts = disposable(binding.vecStringFromJSArray(byteLevelVocabulary(tokenTable, vocabularySize + 1)));
    using end = disposable(binding.vecIntFromJSArray([vocabularySize]));
    using tokenizer = disposable(
      new binding.TokenizerInfo(texts.value, 'BYTE_LEVEL', vocabularySize + 1, end.value, false),
    );
    this.#compiler = new binding.GrammarCompiler(tokenizer.value, 1, false);
  }

  /** @param vocabularySize of the model, in tokens; tokens beyond the table are never allowed */
  static async open(tokenTable: TokenTable, vocabularySize: number): Promise<GrammarConstraints> {
    return new GrammarConstraints(await loadXgrammar(), tokenTable, vocabularySize);
  }

  /** @throws SchemaRefusedError, or an Error when xgrammar refuses the grammar */
  create(constraint: OutputConstraint, stopTokenIds: readonly number[]): GrammarMatch {
    const grammar = this.#compile(constraint);
    using end = disposable(this.#binding.vecIntFromJSArray([this.#vocabularySize]));
    const matcher = new this.#binding.GrammarMatcher(grammar, end.value, false, -1);
    return new GrammarMatch(this.#binding, matcher, this.#vocabularySize, stopTokenIds);
  }

  #compile(constraint: OutputConstraint): WasmObject {
    if (constraint.type === 'tool_calls' || constraint.reasoning !== undefined) {
      throw new Error(`${constraint.type} is not enforced by this version of the worker; update it`);
    }
    const schema = constraint.type === 'json_object' ? { type: 'object' } : constraint.schema;
    const key = createHash('sha256').update(JSON.stringify(schema)).digest('base64');
    const known = this.#compiled.get(key);
    this.#compiled.delete(key);
    const compiled = known ?? this.#compileNew(SchemaGrammar.ebnfOf(schema));
    this.#compiled.set(key, compiled);
    for (const [oldest, grammar] of this.#compiled) {
      if (this.#compiled.size <= MAX_COMPILED) break;
      // Matchers in use share what it holds.
      grammar.delete();
      this.#compiled.delete(oldest);
    }
    return compiled;
  }

  #compileNew(ebnf: string): WasmObject {
    try {
      using grammar = disposable(this.#binding.Grammar.FromEBNF(ebnf, 'root'));
      return this.#compiler.CompileGrammar(grammar.value);
    } catch (cause) {
      throw new Error('the grammar of the schema could not be compiled; simplify the schema', { cause });
    }
  }
}

function disposable(value: WasmObject): Disposable & { readonly value: WasmObject } {
  return { value, [Symbol.dispose]: () => value.delete() };
}
