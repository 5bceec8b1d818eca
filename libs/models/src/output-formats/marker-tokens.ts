import type { OutputFormat } from './output-format.ts';

/**
 * Whether a control token of the tokenizer is (a part of) one of the format's marks. Such tokens must have bytes in the
 * token table where outputs are parsed, as the parser reads text: `[TOOL_CALLS]` and `<|python_tag|>` are control tokens.
 */
export function markerTokens(format: OutputFormat): (content: string) => boolean {
  const { openings, surroundings, innerMarks = [], dropped = [], reasoning } = format;
  const marks = [...openings, ...surroundings, ...innerMarks, ...dropped];
  if (reasoning) marks.push(reasoning.open, reasoning.close, ...(reasoning.empty ?? []));
  return (content) => content !== '' && marks.some((mark) => mark.includes(content));
}
