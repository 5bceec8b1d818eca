/** A call as a test wants it. */
export interface Call {
  readonly name: string;
  readonly args: Record<string, unknown>;
}
interface Answer {
  readonly content: string;
  readonly calls: Call[];
}
type Writer = (answer: Answer) => string;
/** How a well-behaved model of each family writes an answer. */
export const WRITERS: Record<string, Writer> = {
  hermes: ({ content, calls }) =>
    content + calls.map((call) => `\n<tool_call>\n${object(call)}\n</tool_call>`).join(''),
  generic: ({ content, calls }) => content + calls.map((call) => `\n<tool_call>${object(call)}</tool_call>`).join(''),
  ernie: ({ content, calls }) =>
    content + calls.map((call) => `\n<tool_call>\n${object(call)}\n</tool_call>\n`).join(''),
  'exaone-deep': ({ content, calls }) =>
    content + calls.map((call) => `\n<tool_call>${object(call)}</tool_call>`).join(''),
  apertus: ({ content, calls }) =>
    `${content}\n<|tools_prefix|>[${calls.map(({ name, args }) => JSON.stringify({ [name]: args })).join(', ')}]<|tools_suffix|>`,
  apriel: ({ content, calls }) => `${content}\n<tool_calls>${list(calls)}</tool_calls>`,
  internlm: ({ content, calls }) =>
    content +
    calls
      .map(
        ({ name, args }) => `\n<|action_start|><|plugin|>\n${JSON.stringify({ name, parameters: args })}<|action_end|>`,
      )
      .join(''),
  'json-list': ({ content, calls }) => `${content}\n<tool_calls>${list(calls)}</tool_calls>`,
  cohere: ({ content, calls }) =>
    `<|START_RESPONSE|>${content}<|END_RESPONSE|>\n<|START_ACTION|>[\n${calls
      .map((call, i) => JSON.stringify({ tool_call_id: `${i}`, tool_name: call.name, parameters: call.args }))
      .join(',\n')}\n]<|END_ACTION|>`,
  mistral: ({ content, calls }) => `${content}[TOOL_CALLS]${list(calls)}`,
  magistral: ({ content, calls }) =>
    content + calls.map(({ name, args }) => `[TOOL_CALLS]${name}[ARGS]${JSON.stringify(args)}`).join(''),
  'llama3-json': ({ calls }) =>
    calls.map((call) => JSON.stringify({ name: call.name, parameters: call.args }, null, 1)).join('; '),
  deepseek: ({ content, calls }) =>
    `${content}\n<｜tool▁calls▁begin｜>${calls
      .map(
        (call) =>
          `<｜tool▁call▁begin｜>function<｜tool▁sep｜>${call.name}\n\`\`\`json\n${JSON.stringify(call.args)}\n\`\`\`<｜tool▁call▁end｜>`,
      )
      .join('\n')}<｜tool▁calls▁end｜>`,
  kimi: ({ content, calls }) =>
    `${content}<|tool_calls_section_begin|>${calls
      .map(
        (call, i) =>
          `<|tool_call_begin|>functions.${call.name}:${i}<|tool_call_argument_begin|>${JSON.stringify(call.args)}<|tool_call_end|>`,
      )
      .join('')}<|tool_calls_section_end|>`,
  functionary: ({ content, calls }) =>
    content + calls.map((call) => `\n<function=${call.name}>${JSON.stringify(call.args)}</function>`).join(''),
  'functionary-v3.2': ({ content, calls }) =>
    [`all\n${content}`, ...calls.map((call) => `${call.name}\n${JSON.stringify(call.args)}`)].join('>>>'),
  'gpt-oss': ({ content, calls }) =>
    `<|channel|>final<|message|>${content}<|end|>${calls
      .map(
        (call) =>
          `<|start|>assistant<|channel|>commentary to=functions.${call.name} <|constrain|>json<|message|>${JSON.stringify(call.args)}<|call|>`,
      )
      .join('')}`,
  pythonic: ({ calls }) => `[${calls.map(pythonic).join(', ')}]`,
  'qwen3-coder': ({ content, calls }) =>
    content +
    calls
      .map(
        (call) =>
          `\n<tool_call>\n<function=${call.name}>\n${entries(call)
            .map(([key, value]) => `<parameter=${key}>\n${tagged(key, value)}\n</parameter>\n`)
            .join('')}</function>\n</tool_call>`,
      )
      .join(''),
  'seed-oss': ({ content, calls }) =>
    content +
    calls
      .map(
        (call) =>
          `\n<seed:tool_call>\n<function=${call.name}>\n${entries(call)
            .map(([key, value]) => `<parameter=${key}>\n${tagged(key, value)}\n</parameter>\n`)
            .join('')}</function>\n</seed:tool_call>`,
      )
      .join(''),
  glm: ({ content, calls }) =>
    content +
    calls
      .map(
        (call) =>
          `\n<tool_call>${call.name}\n${entries(call)
            .map(([key, value]) => `<arg_key>${key}</arg_key>\n<arg_value>\n${tagged(key, value)}\n</arg_value>\n`)
            .join('')}</tool_call>`,
      )
      .join(''),
  iquest: ({ content, calls }) =>
    content +
    calls
      .map(
        (call) =>
          `\n<iquest_tool_call>${call.name}\n${entries(call)
            .map(([key, value]) => `<arg_key>${key}</arg_key>\n<arg_value>\n${tagged(key, value)}\n</arg_value>\n`)
            .join('')}</iquest_tool_call>`,
      )
      .join(''),
  'k2-horizon': ({ content, calls }) =>
    `${content}\n<ifm|tool_calls>${calls
      .map(
        (call) =>
          `<ifm|tool_call>${call.name}${entries(call)
            .map(
              ([key, value]) =>
                `<ifm|arg_key>${key}</ifm|arg_key><ifm|arg_type>${jsonType(key, value)}</ifm|arg_type><ifm|arg_value>\n${typeof value === 'string' ? value : JSON.stringify(value)}\n</ifm|arg_value>`,
            )
            .join('')}</ifm|tool_call>`,
      )
      .join('\n')}</ifm|tool_calls>`,
  minimax: ({ content, calls }) =>
    `${content}\n<minimax:tool_call>\n${calls
      .map(
        (call) =>
          `<invoke name="${call.name}">\n${entries(call)
            .map(([key, value]) => `<parameter name="${key}">\n${tagged(key, value)}\n</parameter>\n`)
            .join('')}</invoke>\n`,
      )
      .join('')}</minimax:tool_call>`,
  dots: ({ content, calls }) =>
    `${content}\n<dots_function_call>\n${calls
      .map(
        (call) =>
          `<invoke name="${call.name}">\n${entries(call)
            .map(([key, value]) => `<parameter name="${key}">\n${tagged(key, value)}\n</parameter>\n`)
            .join('')}</invoke>\n`,
      )
      .join('')}</dots_function_call>`,
  'deepseek-dsml': ({ content, calls }) =>
    `${content}\n<｜DSML｜function_calls>\n${calls
      .map(
        (call) =>
          `<｜DSML｜invoke name="${call.name}">\n${entries(call)
            .map(
              ([key, value]) =>
                `<｜DSML｜parameter name="${key}" string="${key !== 'value'}">\n${tagged(key, value)}\n</｜DSML｜parameter>\n`,
            )
            .join('')}</｜DSML｜invoke>\n`,
      )
      .join('')}</｜DSML｜function_calls>`,
  'gigachat-3.5': ({ content, calls }) =>
    `${content}\n<｜GCML｜tool_calls>\n${calls
      .map(
        (call) =>
          `<｜GCML｜invoke name="${call.name}">\n${entries(call)
            .map(
              ([key, value]) =>
                `<｜GCML｜parameter name="${key}" string="${key !== 'value'}">\n${tagged(key, value)}\n</｜GCML｜parameter>\n`,
            )
            .join('')}</｜GCML｜invoke>\n`,
      )
      .join('')}</｜GCML｜tool_calls>`,
  minicpm: ({ content, calls }) =>
    content +
    calls
      .map(
        (call) =>
          `\n<function name="${call.name}">${entries(call)
            .map(([key, value]) => `<param name="${key}">${quotedIfNeeded(tagged(key, value))}</param>`)
            .join('')}</function>`,
      )
      .join(''),
  step3: ({ content, calls }) =>
    `${content}\n<｜tool_calls_begin｜>${calls
      .map(
        (call) =>
          `<｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="${call.name}">${entries(call)
            .map(([key, value]) => `<steptml:parameter name="${key}">\n${tagged(key, value)}\n</steptml:parameter>`)
            .join('')}</steptml:invoke><｜tool_call_end｜>`,
      )
      .join('<｜tool_sep｜>')}<｜tool_calls_end｜>`,
  'kimi-k3': ({ content, calls }) =>
    `<|open|>response<|sep|>${content}<|close|>response<|sep|><|open|>tools<|sep|>${calls
      .map(
        (call, i) =>
          `<|open|>call tool="${call.name}" index="${i + 1}"<|sep|>${entries(call)
            .map(
              ([key, value]) =>
                `<|open|>argument key="${key}" type="${jsonType(key, value)}"<|sep|>${typeof value === 'string' ? value : JSON.stringify(value)}<|close|>argument<|sep|>`,
            )
            .join('')}<|close|>call<|sep|>`,
      )
      .join('')}<|close|>tools<|sep|><|close|>message<|sep|>`,
  'minimax-m3': ({ content, calls }) =>
    `${content}\n${MINIMAX}<tool_call>\n${calls
      .map(
        (call) =>
          `${MINIMAX}<invoke name="${call.name}">${entries(call)
            .map(([key, value]) => `${MINIMAX}<${key}>${tagged(key, value)}${MINIMAX}</${key}>`)
            .join('')}${MINIMAX}</invoke>\n`,
      )
      .join('')}${MINIMAX}</tool_call>`,
  solar: ({ content, calls }) =>
    `<|begin|>assistant<|content|>${content}<|end|>\n<|begin|>assistant<|tool_calls|>${calls
      .map(
        (call, i) =>
          `<|tool_call:begin|>a1b2c3d4e${i}<|tool_call:name|>${call.name}<|tool_call:args|>${JSON.stringify(call.args)}<|tool_call:end|>`,
      )
      .join('')}<|calls|>`,
  'hunyuan-v3': ({ content, calls }) =>
    `${content}\n<tool_calls:opensource>\n${calls
      .map(
        (call) =>
          `<tool_call:opensource>${call.name}<tool_sep:opensource>\n${entries(call)
            .map(
              ([key, value]) =>
                `<arg_key:opensource>${key}</arg_key:opensource>\n<arg_value:opensource>\n${tagged(key, value)}\n</arg_value:opensource>\n`,
            )
            .join('')}</tool_call:opensource>\n`,
      )
      .join('')}</tool_calls:opensource>`,
  gemma: ({ content, calls }) =>
    content + calls.map((call) => `\n<|tool_call>call:${gemmaCall(call, '<|"|>')}<tool_call|>`).join(''),
  functiongemma: ({ content, calls }) =>
    content +
    calls.map((call) => `\n<start_function_call>call:${gemmaCall(call, '<escape>')}<end_function_call>`).join(''),
  longcat: ({ content, calls }) =>
    content + calls.map((call) => `\n<longcat_tool_call>${object(call)}</longcat_tool_call>`).join(''),
  'granite-3.2': ({ content, calls }) => `${content}\n<|tool_call|> ${list(calls)}`,
  granite: ({ content, calls }) => `${content}\n<|tool_call|> ${list(calls)}`,
  hunyuan: ({ content, calls }) => `${content}\n<tool_calls>${list(calls)}</tool_calls>`,
  olmo: ({ content, calls }) => `${content}\n<function_calls>${calls.map(pythonic).join('\n')}</function_calls>`,
};
const MINIMAX = ']<]minimax[>[';
/** Families whose calls are the whole answer. */
export const WITHOUT_CONTENT = ['llama3-json', 'pythonic'];

function object({ name, args }: Call): string {
  return JSON.stringify({ name, arguments: args });
}
function list(calls: Call[]): string {
  return `[${calls.map(object).join(', ')}]`;
}
function entries(call: Call): [string, unknown][] {
  return Object.entries(call.args);
}
function tagged(key: string, value: unknown): string {
  return ['text', 'unit', 'input'].includes(key) ? String(value) : JSON.stringify(value);
}
function quotedIfNeeded(text: string): string {
  return /[<&\n]/.test(text) ? `<![CDATA[${text}]]>` : text;
}
function jsonType(key: string, value: unknown): string {
  if (key === 'text' || key === 'unit' || typeof value === 'string') return 'string';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
function python(value: unknown): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${python(item)}`)
    .join(', ')}}`;
}
function pythonic(call: Call): string {
  const written = entries(call).map(([key, value]) => `${key}=${python(value)}`);
  return `${call.name}(${written.join(', ')})`;
}
function gemmaCall({ name, args }: Call, quote: string): string {
  return name + gemmaText(args, quote);
}
function gemmaText(value: unknown, quote: string): string {
  if (typeof value === 'string') return quote + value + quote;
  if (Array.isArray(value)) return `[${value.map((item) => gemmaText(item, quote)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${key}:${gemmaText(item, quote)}`)
    .join(',')}}`;
}
