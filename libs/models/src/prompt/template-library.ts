import * as jinja from '@huggingface/jinja';

/** A node of the library's syntax tree, as far as Millrace reads it. */
export interface TemplateNode {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface TemplateEnvironment {
  /** Copies a JavaScript value into the library's own types under a name. */
  set(name: string, value: unknown): unknown;
  /** The tests (`is defined`) that templates can use, by name. */
  readonly tests: ReadonlyMap<string, (...values: unknown[]) => boolean>;
}

export interface TemplateInterpreterBase {
  evaluate(statement: TemplateNode | undefined, environment: TemplateEnvironment): unknown;
  run(program: TemplateNode): { readonly value: unknown };
}

/** The library's declarations import each other without file extensions, which `nodenext` does not resolve; hence these. */
const library = jinja as unknown as {
  readonly Environment: new () => TemplateEnvironment;
  readonly Interpreter: new (environment: TemplateEnvironment) => TemplateInterpreterBase;
  readonly tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => unknown[];
  readonly parse: (tokens: unknown[]) => TemplateNode;
};

export const Environment = library.Environment;
export const Interpreter = library.Interpreter;

/** Parses Jinja with the whitespace settings that Hugging Face uses for chat templates. @throws SyntaxError */
export function parseJinja(source: string): TemplateNode {
  return library.parse(library.tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
}
