import { callIds } from '../call-ids.ts';
import { OUTPUT_FORMATS } from '../choose-format.ts';
import { joinEvents, type ParsedOutput } from '../output-event.ts';
import { OutputParser, type OutputParserOptions } from '../output-parser.ts';
import { toolSetOf } from '../tool-set.ts';

/** What the calls of tests may call. */
export const TOOLS = toolSetOf(
  ['look_up', 'get.weather', 'sum-2'].map((name) => ({
    name,
    parameters: { type: 'object', properties: { text: { type: 'string' }, unit: { enum: ['a', 'b'] }, value: {} } },
  })),
);

/** What a format's parser makes of an answer that comes in these pieces. */
export function parse(
  formatName: string,
  pieces: readonly string[],
  change: Partial<OutputParserOptions> = {},
): ParsedOutput {
  const format = OUTPUT_FORMATS.get(formatName);
  if (format === undefined) throw new Error(`there is no format ${formatName}`);
  const parser = new OutputParser({ format, tools: TOOLS, reasoning: 'marked', callId: callIds('r', 0), ...change });
  return joinEvents([...pieces.flatMap((piece) => parser.push(piece)), ...parser.finish()]);
}
