import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callIds } from './call-ids.ts';
import { OUTPUT_FORMATS } from './choose-format.ts';
import { joinEvents, type ParsedOutput } from './output-event.ts';
import { OutputParser, type OutputParserOptions, reasoningStart } from './output-parser.ts';
import { ANY_TOOL, toolSetOf } from './tool-set.ts';

type Call = { name: string; args: Record<string, unknown> };
type Answer = { content: string; calls: Call[] };
type Writer = (answer: Answer) => string;

const TOOLS = toolSetOf(
  ['look_up', 'get.weather', 'sum-2'].map((name) => ({
    name,
    parameters: { type: 'object', properties: { text: { type: 'string' }, unit: { enum: ['a', 'b'] }, value: {} } },
  })),
);

/** How a well-behaved model of each family writes an answer. */
const WRITERS: Record<string, Writer> = {
  hermes: ({ content, calls }) =>
    content + calls.map((call) => `\n<tool_call>\n${object(call)}\n</tool_call>`).join(''),
  generic: ({ content, calls }) => content + calls.map((call) => `\n<tool_call>${object(call)}</tool_call>`).join(''),
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
  minimax: ({ content, calls }) =>
    `${content}\n<minimax:tool_call>\n${calls
      .map(
        (call) =>
          `<invoke name="${call.name}">\n${entries(call)
            .map(([key, value]) => `<parameter name="${key}">\n${tagged(key, value)}\n</parameter>\n`)
            .join('')}</invoke>\n`,
      )
      .join('')}</minimax:tool_call>`,
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
const WITHOUT_CONTENT = ['llama3-json', 'pythonic'];

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
  return key === 'text' || key === 'unit' ? String(value) : JSON.stringify(value);
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

const key = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/);
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom('\n', '{', '}', '"', "'", '\\', '<', '</', '>', '[', ']', ',', '```', ' '),
      fc.string({ unit: 'grapheme', maxLength: 5 }),
    ),
  )
  .map((parts) => parts.join('').replaceAll('\r', ''));
const safeValue = fc.oneof(
  text,
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.oneof(text, fc.integer()), { maxLength: 3 }),
  fc.dictionary(key, fc.oneof(text, fc.constant(null)), { maxKeys: 3 }),
);
const call = fc.record({
  name: fc.constantFrom('look_up', 'get.weather', 'sum-2'),
  args: fc.record({ text, unit: fc.constantFrom('a', 'b'), value: safeValue }, { requiredKeys: [] }),
});
const content = fc
  .array(fc.constantFrom('Hello', 'é🙂', 'a < b', '{x}', '<tool', '\n\n', ' ', '[1]', '<|', '`', 'call:'), {
    maxLength: 6,
  })
  .map((parts) => `So ${parts.join(' ')}.`);

function parse(formatName: string, pieces: readonly string[], change: Partial<OutputParserOptions> = {}): ParsedOutput {
  const format = OUTPUT_FORMATS.get(formatName)!;
  const parser = new OutputParser({ format, tools: TOOLS, reasoning: 'marked', callId: callIds('r', 0), ...change });
  return joinEvents([...pieces.flatMap((piece) => parser.push(piece)), ...parser.finish()]);
}

function cut(whole: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => whole.slice(from, places[i] ?? whole.length));
}

const cuts = fc.array(fc.nat(2_000), { maxLength: 30 });

describe('OutputParser', () => {
  it('has a writer here for every format', () => {
    expect(Object.keys(WRITERS).sort()).toEqual([...OUTPUT_FORMATS.keys()].sort());
  });

  describe.each(Object.keys(WRITERS))('%s', (name) => {
    const write = WRITERS[name]!;
    const withContent = !WITHOUT_CONTENT.includes(name);

    it('finds the calls and the content that were written, however the text is cut into pieces', () => {
      fc.assert(
        fc.property(
          content,
          fc.array(call, { minLength: 1, maxLength: 3 }),
          cuts,
          fc.boolean(),
          (said, calls, places, wholeCalls) => {
            const marks = ['</parameter>', '</arg_value>', '</｜DSML｜parameter>', '<|"|>', '<escape>'];
            fc.pre(!marks.some((mark) => JSON.stringify(calls).includes(mark)));
            const output = write({ content: withContent ? said : '', calls });
            const parsed = parse(name, [output], { wholeCalls });
            expect(parsed.content).toBe(withContent ? said : '');
            expect(parsed.calls.map((found) => ({ name: found.name, args: JSON.parse(found.arguments) }))).toEqual(
              calls.map((written) => ({ name: written.name, args: JSON.parse(JSON.stringify(written.args)) })),
            );
            expect(parsed.calls.every((found) => found.complete)).toBe(true);
            expect(parse(name, cut(output, places), { wholeCalls })).toEqual(parsed);
            expect(
              parse(name, [...output].length === output.length ? output.split('') : [...output], { wholeCalls }),
            ).toEqual(parsed);
          },
        ),
        { numRuns: 60 },
      );
    });

    it('never throws and loses no word of an output that is cut off or damaged', () => {
      const words = Array.from({ length: 12 }, (_, i) => `w${i}q`);
      const damage = fc.record({
        place: fc.nat(2_000),
        remove: fc.nat(12),
        insert: fc.constantFrom('', '{', '}', '"', '<', '>', '[', ']', ',', 'x', '\n', '<tool_call>'),
      });
      fc.assert(
        fc.property(
          fc.array(damage, { maxLength: 3 }),
          fc.nat(2_000),
          fc.boolean(),
          cuts,
          (damages, length, wholeCalls, places) => {
            let output = write({
              content: withContent ? `${words[0]} ${words[1]}` : '',
              calls: [
                { name: 'look_up', args: { text: words[2], value: [words[3], { a: words[4] }] } },
                { name: 'sum-2', args: { value: words[5], text: `${words[6]} ${words[7]}`, unit: 'a' } },
              ],
            });
            for (const { place, remove, insert } of damages) {
              const at = place % (output.length + 1);
              output = output.slice(0, at) + insert + output.slice(at + remove);
            }
            output = output.slice(0, 1 + (length % (2 * output.length)));
            const parsed = parse(name, [output], { wholeCalls });
            const found = JSON.stringify(parsed);
            for (const word of output.match(/w\d+q/g) ?? []) expect(found).toContain(word);
            if (wholeCalls)
              for (const { complete, ...whole } of parsed.calls)
                expect([complete, JSON.parse(whole.arguments)]).toEqual([true, expect.any(Object)]);
            expect(parse(name, cut(output, places), { wholeCalls })).toEqual(parsed);
          },
        ),
        { numRuns: 150 },
      );
    });

    it('tells nothing but calls of a held output, wherever it is cut', () => {
      const calls: Call[] = [
        { name: 'look_up', args: { text: 'a \\ "b"', value: [1, { c: 'd' }] } },
        { name: 'sum-2', args: {} },
      ];
      const whole = write({ content: '', calls });
      const single = write({ content: '', calls: calls.slice(0, 1) });
      const content = name === 'gpt-oss' || !withContent ? '' : 'So.';
      for (const said of [whole, single, write({ content, calls })]) {
        for (let length = 0; length <= said.length; length++) {
          const cutOff = said.slice(0, length);
          expect(parse(name, [cutOff], { heldTo: 'calls' }).content).toBe('');
          const { content: found, calls: some } = parse(name, [cutOff], { heldTo: 'text and calls' });
          if (some.length > 0) expect([cutOff, found]).toEqual([cutOff, said.includes('So.') ? 'So.' : '']);
        }
      }
    });

    it('keeps any other text as it is', () => {
      fc.assert(
        fc.property(fc.oneof(fc.string({ unit: 'binary' }), content, text), (said) => {
          fc.pre(name !== 'functionary-v3.2' || !said.includes('>>>'));
          expect(parse(name, [said], { reasoning: 'off' })).toEqual({ content: said, reasoning: '', calls: [] });
          expect(parse(name, [said], { tools: null, reasoning: 'off' }).content).toBe(said);
        }),
        { numRuns: 60 },
      );
    });
  });

  it('delivers the id and the name first, then the arguments as they come, in pieces of the model’s own text', () => {
    const format = OUTPUT_FORMATS.get('hermes')!;
    const parser = new OutputParser({ format, tools: TOOLS, reasoning: 'off', callId: (index) => `call_${index}` });
    expect(parser.push('Let me see.\n<tool')).toEqual([{ type: 'content', text: 'Let me see.' }]);
    expect(parser.push('_call>\n{"name": "look_up", "arguments": {"te')).toEqual([
      { type: 'call-start', index: 0, id: 'call_0', name: 'look_up' },
      { type: 'call-arguments', index: 0, text: '{"te' },
    ]);
    expect(parser.push('xt": "a\\')).toEqual([{ type: 'call-arguments', index: 0, text: 'xt": "a' }]);
    expect(parser.push('n"}}\n')).toEqual([
      { type: 'call-arguments', index: 0, text: '\\n"}' },
      { type: 'call-end', index: 0, complete: true },
    ]);
    expect(parser.push('</tool_call>')).toEqual([]);
    expect(parser.finish()).toEqual([]);
  });

  it('takes a call of an unknown tool, without a name, or with arguments that are no object, for text', () => {
    for (const said of [
      '<tool_call>{"name": "rm", "arguments": {}}</tool_call>',
      '<tool_call>{"arguments": {}}</tool_call>',
      'x <tool_call>{"name": "look_up", "arguments": [1]}</tool_call>',
      '<tool_call>{"name": "look_up", "why": "so", "arguments": {}}</tool_call>',
      '<tool_call>',
      'a\n<tool_call> is a mark </tool_call>\n',
    ]) {
      expect(parse('hermes', [said])).toEqual({ content: said, reasoning: '', calls: [] });
    }
  });

  it('reads arguments before the name, arguments in a string, and calls without arguments', () => {
    const said =
      '<tool_call>{"arguments": {"a": 1}, "name": "look_up"}</tool_call>' +
      '<tool_call>{"name": "look_up", "arguments": "{\\"a\\": 2}"}</tool_call><tool_call>{"id": "7", "name": "look_up"}</tool_call>';
    expect(parse('hermes', [said]).calls.map((found) => found.arguments)).toEqual(['{"a": 1}', '{"a": 2}', '{}']);
  });

  it('ends a call incomplete when the output breaks inside its arguments, or makes it text where calls must be whole', () => {
    const said = 'Yes.\n<tool_call>{"name": "look_up", "arguments": {"text": "a';
    expect(parse('hermes', [said])).toMatchObject({
      content: 'Yes.',
      calls: [{ name: 'look_up', arguments: '{"text": "a', complete: false }],
    });
    expect(parse('hermes', [said], { wholeCalls: true })).toEqual({ content: said, reasoning: '', calls: [] });
  });

  it('tells reasoning apart, opened by the model or by the prompt, and finds no call inside it', () => {
    const thought = 'I <tool_call>{"name": "look_up"}</tool_call> think\n\n</think>\n\nYes <think> no </think>';
    const expected = {
      content: 'Yes <think> no </think>',
      reasoning: 'I <tool_call>{"name": "look_up"}</tool_call> think',
      calls: [],
    };
    const format = OUTPUT_FORMATS.get('hermes')!;
    expect(parse('hermes', `<think>\n${thought}`.split(''))).toEqual(expected);
    expect(parse('hermes', thought.split(''), { reasoning: reasoningStart('assistant\n<think>\n', format) })).toEqual(
      expected,
    );
    expect(reasoningStart('<think>\n\n</think>\n\n', format)).toBe('marked');
    expect(parse('hermes', ['<think>cut off']).reasoning).toBe('cut off');
    expect(parse('hermes', ['<think>a</think>b'], { reasoning: 'off' }).content).toBe('<think>a</think>b');
  });

  it('drops the marks around an answer behind reasoning, and only there', () => {
    const thought = '<think>Hm.</think>\n';
    for (const [name, open, close] of [
      ['granite', '<response>', '</response>'],
      ['hunyuan', '<answer>', '</answer>'],
    ] as const) {
      const said = `${thought}${open}\nYes.\n${close}`;
      const expected = { content: 'Yes.\n', reasoning: 'Hm.', calls: [] };
      expect(parse(name, [said])).toEqual(expected);
      expect(parse(name, said.split(''), { tools: null })).toEqual(expected);
      for (const other of [`${open}Yes.${close}`, `So ${open}Yes.${close}`])
        expect(parse(name, [other]).content).toBe(other);
      expect(parse('hermes', [thought + open + close]).content).toBe(open + close);
    }
  });

  it('takes text for text where the schema says string, and values as JSON elsewhere', () => {
    const said =
      '<tool_call>\n<function=look_up>\n<parameter=text>\n12\n</parameter>\n<parameter=value>\n12\n</parameter>\n<parameter=other>\nnot json\n</parameter>\n</function>\n</tool_call>';
    expect(parse('qwen3-coder', [said]).calls[0]?.arguments).toBe('{"text":"12","value":12,"other":"not json"}');
    expect(parse('qwen3-coder', [said], { tools: ANY_TOOL }).calls[0]?.arguments).toContain('"text":12');
  });

  it('finds reasoning by whatever opens it', () => {
    const gemma = (said: string) => parse('gemma', said.split(''));
    expect(gemma('<|channel>thousand reasons<channel|>Done')).toMatchObject({
      reasoning: 'thousand reasons',
      content: 'Done',
    });
    expect(gemma('<|channel><|channel>thought\n<channel|>Done')).toMatchObject({ reasoning: '', content: 'Done' });
    expect(gemma('<|channel>thought\nHm')).toMatchObject({ reasoning: 'Hm', content: '' });
    for (const open of ['Here is my thought process:', "Here's my thought process:"]) {
      const { reasoning, content: rest } = parse('granite-3.2', `${open} Hm.\nHere is my response: So.`.split(''));
      expect([reasoning, rest]).toEqual(['Hm.', 'So.']);
    }
  });

  it('leaves out the marks that end a call also where content follows, and keeps those of a call that is none', () => {
    const called = '<tool_call>\n<function=look_up>\n</function>\n</tool_call>';
    const read = (said: string) => parse('qwen3-coder', said.split(''));
    expect(read(`So.\n${called} And on.`)).toMatchObject({ content: 'So. And on.', calls: [{ name: 'look_up' }] });
    expect(read(`${called}\n\nAnd on.`)).toMatchObject({ content: 'And on.', calls: [{ name: 'look_up' }] });
    expect(read(`${called}\n<tool_call>\nnone`).content).toBe('<tool_call>\nnone');
    const spread =
      'So.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look_up<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>It is.';
    expect(parse('deepseek', [spread]).content).toBe('So.It is.');
  });

  it('ends an argument where the next one or the end of the call shows that its end mark was forgotten', () => {
    const said =
      '<function=look_up>\n<parameter=text>\na\n<parameter=unit>\nb\n</parameter>\n<parameter=value>\n1\n</function>\n</tool_call>';
    expect(parse('qwen3-coder', [said]).calls[0]?.arguments).toBe('{"text":"a","unit":"b","value":1}');
    const inside = '<function=look_up>\n<parameter=text>\nx <parameter=a> </function> y\n</parameter>\n</function>';
    expect(JSON.parse(parse('qwen3-coder', [inside]).calls[0]?.arguments ?? '')).toEqual({
      text: 'x <parameter=a> </function> y',
    });
  });

  it('keeps the line break at the end of a text that stands beside its tags', () => {
    const read = (text: string) =>
      JSON.parse(
        parse('minimax', [`<invoke name="look_up"><parameter name="text">${text}</parameter></invoke>`]).calls[0]
          ?.arguments ?? '',
      ).text;
    expect([read('  x = 1\n'), read('\nx\n'), read('x\n\n')]).toEqual(['  x = 1\n', 'x', 'x\n\n']);
  });

  it('drops blanks between content and a call where the family’s calls follow them', () => {
    const said = 'So. <|tool_call>:look_up{text:<|"|>a<|"|>}<tool_call|>';
    expect(parse('gemma', [said])).toMatchObject({ content: 'So.', calls: [{ arguments: '{"text":"a"}' }] });
    expect(parse('hermes', ['So. <tool_call>{"name": "look_up", "arguments": {}}</tool_call>']).content).toBe('So. ');
  });

  it('finds the call behind one whose name never ends', () => {
    const { calls } = parse('gemma', ['<|tool_call>call:no brace<tool_call|><|tool_call>call:look_up{}<tool_call|>']);
    expect(calls).toMatchObject([{ name: 'look_up', arguments: '{}' }]);
  });

  it('takes the schema’s word against the mark that says what an argument is', () => {
    const tools = toolSetOf([
      {
        name: 'look_up',
        parameters: { properties: { n: { type: ['integer', 'null'] }, s: { type: ['string', 'null'] } } },
      },
    ]);
    const argument = (name: string) => `<｜DSML｜parameter name="${name}" string="true">42</｜DSML｜parameter>`;
    const said = `<｜DSML｜invoke name="look_up">${argument('n')}${argument('s')}</｜DSML｜invoke>`;
    expect(parse('deepseek-dsml', [said], { tools }).calls[0]?.arguments).toBe('{"n":42,"s":"42"}');
  });

  it('reads sets, numbers with zeros in front and strings of several lines, as models write them in Python', () => {
    const said = `[look_up(a={'x', 'y'}, b=07, c=-007.50, d=0, e={}, f={'k': {1, 2,}}, g='one\ntwo', h={3: 4})]`;
    expect(parse('pythonic', [said], { wholeCalls: true }).calls).toEqual([]);
    expect(JSON.parse(parse('pythonic', [said.replace(', h={3: 4}', '')]).calls[0]?.arguments ?? '')).toEqual({
      a: ['x', 'y'],
      b: 7,
      c: -7.5,
      d: 0,
      e: {},
      f: { k: [1, 2] },
      g: 'one\ntwo',
    });
  });

  it('takes a call in reasoning that never ends for a call, and one in reasoning that ends for reasoning', () => {
    const called = '<tool_call>\n<function=look_up>\n<parameter=text>\na\n</parameter>\n</function>\n</tool_call>';
    const calls = [{ name: 'look_up', arguments: '{"text":"a"}' }];
    for (const cutting of [(said: string) => [said], (said: string) => said.split('')]) {
      const read = (said: string) => parse('qwen3-coder', cutting(said), { reasoning: 'opened' });
      expect(read(`So I look.\n${called}`)).toMatchObject({ reasoning: 'So I look.', content: '', calls });
      const quoted = read(`I could ${called}\n</think>\n\n${called}`);
      expect(quoted).toMatchObject({ reasoning: `I could ${called}`, content: '', calls });
      expect(quoted.calls).toHaveLength(1);
    }
    const dsml =
      'So.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name="look_up">\n<｜DSML｜parameter name="text" string="true">a</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>';
    expect(parse('deepseek-dsml', [dsml], { reasoning: 'opened' })).toMatchObject({
      reasoning: 'So.',
      content: '',
      calls,
    });
  });

  it('reads elements as the objects and lists that they stand for, by their schema where there is one', () => {
    const m = ']<]minimax[>[';
    const said = `<mm:think>Hm</mm:think>${m}<tool_call>\n${m}<invoke name="look_up">${m}<value>${m}<item>${m}<id>1${m}</id>${m}<on>true${m}</on>${m}</item>${m}<item>two${m}</item>${m}</value>${m}<text>1 < 2${m}</text>${m}<none>${m}</none>${m}</invoke>\n${m}</tool_call>`;
    const { reasoning, content: rest, calls } = parse('minimax-m3', said.split(''));
    expect([reasoning, rest, calls.map((found) => JSON.parse(found.arguments))]).toEqual([
      'Hm',
      '',
      [{ value: [{ id: 1, on: true }, 'two'], text: '1 < 2', none: '' }],
    ]);
    expect(parse('minimax-m3', ['</mm:think>Hello']).content).toBe('Hello');
    const typed = toolSetOf([
      {
        name: 'look_up',
        parameters: {
          properties: {
            value: { type: 'object', properties: { id: { type: 'string' } } },
            list: { type: 'array', items: { type: 'string' } },
            none: { type: 'array' },
          },
        },
      },
    ]);
    const more = `${m}<invoke name="look_up">${m}<value>${m}<id>1${m}</id>${m}</value>${m}<list>${m}<item>2${m}</item>${m}</list>${m}<none>${m}</none>${m}</invoke>`;
    expect(JSON.parse(parse('minimax-m3', [more], { tools: typed }).calls[0]?.arguments ?? '')).toEqual({
      value: { id: '1' },
      list: ['2'],
      none: [],
    });
  });

  it('takes quoted text of MiniCPM as it stands, as a string where the schema does not say what it is', () => {
    const said =
      '<function name="look_up"><param name="text"><![CDATA[\n<a href="x">\n</param>\n]]></param><param name="other"><![CDATA[1]]></param></function>';
    const { content: rest, calls } = parse('minicpm', [said]);
    expect([rest, JSON.parse(calls[0]?.arguments ?? '')]).toEqual([
      '',
      { text: '\n<a href="x">\n</param>\n', other: '1' },
    ]);
  });

  it('reads messages of gpt-oss whose role stands in the prompt, and drops those to tools that no request has', () => {
    for (const head of [
      ' to=functions.look_up<|channel|>analysis',
      'to=functions.look_up<|channel|>commentary <|constrain|>json',
    ]) {
      const { content: rest, reasoning, calls } = parse('gpt-oss', `${head}<|message|>{"a": 1}<|call|>`.split(''));
      expect([rest, reasoning, calls]).toMatchObject(['', '', [{ name: 'look_up', arguments: '{"a": 1}' }]]);
    }
    expect(parse('gpt-oss', [' to=everybody: hello']).content).toBe(' to=everybody: hello');
    const builtIn =
      '<|channel|>analysis<|message|>I run it<|end|><|start|>assistant<|channel|>commentary to=python <|constrain|>code<|message|>print(1)<|call|>';
    expect(parse('gpt-oss', [builtIn])).toEqual({ content: '', reasoning: 'I run it', calls: [] });
  });

  it('reads the Mistral, DeepSeek and Functionary forms of later versions', () => {
    for (const [name, said] of [
      ['mistral', '[TOOL_CALLS]look_up[CALL_ID]a1b2[ARGS]{"a": 1}'],
      [
        'deepseek',
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look_up<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
      ],
      ['llama3-json', '<|python_tag|>{"type": "function", "name": "look_up", "parameters": {"a": 1}}<|eom_id|>'],
      ['json-list', ' functools[{"name": "look_up", "arguments": {"a": 1}}]'],
      ['pythonic', '<|python_start|>[look_up(a=1)]<|python_end|>'],
      ['olmo', '<function_calls>\nlook_up(a=1)\n</function_calls>'],
      [
        'glm',
        '<tool_calls>\n<tool_call>look_up<tool_sep>\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>\n</tool_calls>',
      ],
      ['minicpm', '<function name="look_up"><param name="a">1</param></function>'],
      ['json-list', '<function_call> {"name": "look_up", "arguments": {"a": 1}}'],
      [
        'gpt-oss',
        '<|channel|>analysis<|message|>hm<|end|><|start|>assistant to=functions.look_up<|channel|>commentary<|message|>{"a": 1}',
      ],
    ] as const) {
      const { content: rest, calls } = parse(name, [said]);
      expect([name, rest, calls.map((found) => [found.name, JSON.parse(found.arguments)])]).toEqual([
        name,
        '',
        [['look_up', { a: 1 }]],
      ]);
    }
  });

  it('gives the same ids for the same request, choice and call only', () => {
    expect(callIds('r', 0)(0)).toMatch(/^call_[A-Za-z0-9]{24}$/);
    expect(callIds('r', 0)(0)).toBe(callIds('r', 0)(0));
    expect(new Set([callIds('r', 0)(0), callIds('r', 0)(1), callIds('r', 1)(0), callIds('s', 0)(0)]).size).toBe(4);
  });
});
