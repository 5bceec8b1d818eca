import { type OutputFormat, THINK } from '../output-format.ts';
import { type CallTags, readTaggedCall } from '../readers/tagged-call.ts';

/** A family that names its marks `｜NAME｜…`, and begins a list of calls with one of `lists`. */
function markupFormat(name: string, prefix: string, lists: readonly string[]): OutputFormat {
  const tags: CallTags = {
    nameEnd: ['">'],
    argumentOpen: `<${prefix}parameter name="`,
    argumentNameEnd: [
      { text: '" string="true">', type: 'string' },
      { text: '" string="false">', type: 'json' },
    ],
    argumentClose: `</${prefix}parameter>`,
    isInline: true,
    close: `</${prefix}invoke>`,
  };
  const opens = lists.map((list) => `<${prefix}${list}>`);
  return {
    name,
    openings: [`<${prefix}invoke name="`],
    innerMarks: [tags.argumentOpen, tags.argumentClose, tags.close],
    surroundings: [...opens, ...lists.map((list) => `</${prefix}${list}>`)],
    reasoning: { ...THINK, endedBy: opens },
    readCalls: (reading) => readTaggedCall(reading, tags),
  };
}

/** DeepSeek V3.2 (`function_calls`) and V4 (`tool_calls`): tags that say of each argument whether it is a string. */
export const deepseekDsml = markupFormat('deepseek-dsml', '｜DSML｜', ['function_calls', 'tool_calls']);

/** GigaChat 3.5: the calls of DeepSeek V4 in marks of its own. */
export const gigachat35: OutputFormat = {
  ...markupFormat('gigachat-3.5', '｜GCML｜', ['tool_calls']),
  dropped: ['<|message_sep|>'],
};
