import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { compileFunction } from 'node:vm';

/** An object that lives in xgrammar's WASM memory until `delete` is called. */
export interface WasmObject {
  delete(): void;
}

/** The part of `@mlc-ai/web-xgrammar`'s own binding that Millrace uses; every call is synchronous. */
export interface XgrammarBinding {
  readonly Grammar: { FromEBNF(ebnf: string, rootRule: string): WasmObject };
  readonly TokenizerInfo: new (
    vocabulary: WasmObject,
    kind: 'BYTE_LEVEL',
    vocabularySize: number,
    stopTokenIds: WasmObject,
    prependSpace: boolean,
  ) => WasmObject;
  readonly GrammarCompiler: new (
    tokenizer: WasmObject,
    threads: number,
    cached: boolean,
  ) => WasmObject & { CompileGrammar(grammar: WasmObject): WasmObject };
  readonly GrammarMatcher: new (
    grammar: WasmObject,
    stopTokenIds: WasmObject,
    terminateWithoutStopToken: boolean,
    maxRollbackTokens: number,
  ) => XgrammarMatcher;
  vecStringFromJSArray(texts: readonly string[]): WasmObject;
  vecIntFromJSArray(numbers: readonly number[]): WasmObject;
  /** A view of WASM memory: valid until the vector is deleted or memory grows. */
  vecIntToView(vector: WasmObject): Int32Array;
}

export interface XgrammarMatcher extends WasmObject {
  AcceptToken(tokenId: number, verbose: boolean): boolean;
  GetNextTokenBitmask(vocabularySize: number): WasmObject;
  IsTerminated(): boolean;
}

/** What is changed in the package's text: each place stands there once. */
const CHANGES = [
  ['exports.default = index;', 'exports.loadBinding = Module;'],
  ["await import('module')", "require('module')"],
] as const;

/**
 * Loads xgrammar's WASM, a new instance each time. The package is one UMD file in a `type: module` package: imported, it
 * would put its exports on `globalThis`. So its text is evaluated as CommonJS, and of its wrappers, which are
 * asynchronous for no reason but their own loading, only the factory of the binding is taken.
 */
export async function loadXgrammar(): Promise<XgrammarBinding> {
  const require = createRequire(import.meta.url);
  const file = require.resolve('@mlc-ai/web-xgrammar');
  let source = readFileSync(file, 'utf8');
  for (const [from, to] of CHANGES) {
    if (source.split(from).length !== 2) {
      throw new Error('@mlc-ai/web-xgrammar is not the version that this loader was made for; install 0.1.27');
    }
    source = source.replace(from, to);
  }
  const module: { exports: { loadBinding?: (options: object) => Promise<XgrammarBinding> } } = { exports: {} };
  const parameters = ['exports', 'module', 'require', '__filename', '__dirname'];
  const evaluate = compileFunction(source, parameters, { filename: file });
  evaluate(module.exports, module, require, file, dirname(file));
  if (module.exports.loadBinding === undefined) throw new Error('@mlc-ai/web-xgrammar exports no binding');
  // Without these it would write what it thinks of a grammar to the console.
  return module.exports.loadBinding({ print: () => {}, printErr: () => {} });
}
