import * as jinja from '@huggingface/jinja';
import { withTestArguments } from './test-arguments.ts';

/** A node of the library's syntax tree, as far as Millrace reads it. */
export interface TemplateNode {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A token of the library's lexer. */
export interface TemplateToken {
  readonly value: string;
  readonly type: string;
}

/** The library's declarations import each other without file extensions, which `nodenext` does not resolve; hence these. */
const library = jinja as unknown as {
  readonly tokenize: (source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }) => TemplateToken[];
  readonly parse: (tokens: readonly TemplateToken[]) => TemplateNode;
};

/** Parses Jinja with the whitespace settings that Hugging Face uses for chat templates. @throws SyntaxError */
export function parseJinja(source: string): TemplateNode {
  return library.parse(withTestArguments(library.tokenize(source, { lstrip_blocks: true, trim_blocks: true })));
}
