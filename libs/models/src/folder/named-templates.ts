/** The template of conversations with tools among several named ones; transformers and llama.cpp choose by this name. */
export const TOOL_TEMPLATE = 'tool_use';

/**
 * One template of two: `forTools` where a request has tools, else `plain`, as transformers chooses (Hermes 2 and 3, Command R).
 * A tag's line break is no text, and what stands before an output is, so that both keep their white space; a template's last line break
 * never is text.
 */
export function withToolTemplate(plain: string, forTools: string | null | undefined): string {
  if (forTools == null || forTools === '' || forTools === plain) return plain;
  const [body, other] = [forTools, plain].map((source) => source.replace(/\r?\n$/, ''));
  return `{% if tools is not none %}\n${body}{{ '' }}{% else %}\n${other}{{ '' }}{% endif %}`;
}
