import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutputConstraint } from '#contracts';
import { byteTokens, END } from '../../../../../test/support/byte-tokens.ts';
import { GrammarConstraints } from '../grammar-constraints.ts';

type CallConstraint = Extract<OutputConstraint, { type: 'tool_calls' }>;
type Input = NonNullable<CallConstraint['tools'][number]['input']>;

/** How a call of `run` is written around its input, and what can not stand in that. */
const STYLES: readonly [format: string, write: (input: string) => string, unwritable: RegExp | null][] = [
  ['hermes', (input) => `<tool_call>{"name":"run","arguments":{"input":${JSON.stringify(input)}}}</tool_call>`, null],
  ['mistral', (input) => `[TOOL_CALLS]run[ARGS]{"input": ${JSON.stringify(input)}}`, null],
  ['pythonic', (input) => `[run(input=${JSON.stringify(input)})]`, null],
  ['gemma', (input) => `<|tool_call>call:run{input:<|"|>${input}<|"|>}<tool_call|>`, /<\|"\|>/],
  [
    'qwen3-coder',
    (input) => `<tool_call>\n<function=run>\n<parameter=input>\n${input}\n</parameter>\n</function>\n</tool_call>`,
    /<\/parameter>|\n<parameter=|\n<\/function>|\r/,
  ],
  [
    'minimax',
    (input) =>
      `<minimax:tool_call>\n<invoke name="run">\n<parameter name="input">${input}</parameter>\n</invoke>\n</minimax:tool_call>`,
    /<\/parameter>|\r|^\n/,
  ],
];

const PARAMETERS = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] };
const constraintOf = (format: string, input: Input): CallConstraint => ({
  type: 'tool_calls',
  format,
  tools: [{ name: 'run', parameters: PARAMETERS, strict: true, input }],
  choice: 'required',
  parallel: false,
});
const lark = (definition: string): Input => ({ syntax: 'lark', definition });
const regex = (definition: string): Input => ({ syntax: 'regex', definition });

function fits(constraint: OutputConstraint, text: string, constraints: GrammarConstraints): boolean {
  using match = constraints.create(constraint, [END]);
  const isAllowed = (token: number) => ((match.allowedTokens()[token >>> 5] ?? 0) & (1 << (token & 31))) !== 0;
  return [...Buffer.from(text)].every((byte) => isAllowed(byte) && match.accept(byte)) && isAllowed(END);
}

/** Grammars of words with all that a way of writing may have to escape or leave out. */
const WORDS = ['a', '"', '\\', '\n', '\t', '\u0001', 'é', '🙂', '<', '/', '</parameter>', '<|"|>', '\r'];
const { part: anyPart } = fc.letrec<{ part: string }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 6, arbitrary: fc.constantFrom(...WORDS).map((word) => JSON.stringify(word)) },
    { weight: 2, arbitrary: fc.constantFrom('/[^a]/', '/[<-`]+/', '/["\\\\\\n]*/') },
    { weight: 1, arbitrary: fc.constantFrom('start', 'more') },
    { weight: 4, arbitrary: fc.array(tie('part'), { minLength: 1, maxLength: 4 }).map((all) => `(${all.join(' ')})`) },
    {
      weight: 4,
      arbitrary: fc.array(tie('part'), { minLength: 2, maxLength: 4 }).map((all) => `(${all.join(' | ')})`),
    },
    { weight: 3, arbitrary: fc.tuple(tie('part'), fc.constantFrom('*', '+', '~1..3')).map((two) => two.join('')) },
  ),
}));
const anyGrammar = fc.tuple(anyPart, anyPart).map(([start, more]) => `start: ${start}\nmore: ${more} | "a"`);
const anyText = fc.array(fc.constantFrom(...WORDS), { maxLength: 5 }).map((words) => words.join(''));

describe('the input of custom tools', () => {
  it('is any text of its grammar, escaped as a family writes it, and no other', { timeout: 120_000 }, () => {
    const taken = new Map<string, number>();
    fc.assert(
      fc.property(anyGrammar, fc.array(anyText, { minLength: 12, maxLength: 12 }), (definition, texts) => {
        const constraints = new GrammarConstraints(byteTokens, 257);
        let isTaken: (text: string) => boolean;
        try {
          constraints.create({ type: 'grammar', grammar: definition }, [END]);
          isTaken = (text) => fits({ type: 'grammar', grammar: definition }, text, constraints);
        } catch (error) {
          expect(String(error)).toMatch(/never ends/);
          return;
        }
        for (const [format, write, unwritable] of STYLES) {
          const constraint = constraintOf(format, lark(definition));
          for (const text of texts) {
            const expected = isTaken(text) && unwritable?.test(text) !== true;
            if (expected) taken.set(format, (taken.get(format) ?? 0) + 1);
            let found: boolean;
            try {
              found = fits(constraint, write(text), constraints);
            } catch (error) {
              // No text of the grammar can be written.
              expect(String(error)).toMatch(/each of its texts/);
              found = false;
            }
            expect(found, `${format}: ${definition} takes ${JSON.stringify(text)}`).toBe(expected);
          }
        }
      }),
      { numRuns: Number(process.env.MILLRACE_TEST_GRAMMARS ?? 60), seed: 3 },
    );
    for (const [format] of STYLES) expect(taken.get(format), format).toBeGreaterThan(20);
  });

  it.each([
    [regex('^(?P<month>May|June)\\s+(?P<day>\\d{1,2})$'), ['May 5', 'June\n12'], ['May', 'May 123', ' May 5']],
    [regex('(?i)(ab|c)+?'), ['ab', 'ABc'], ['', 'abd']],
    [regex('\\Aa|b\\z'), ['a', 'b'], ['ab', 'xa']],
    [regex('.*'), ['', 'any "text"'], ['two\nlines']],
    [regex('(?s).*'), ['two\n"lines"'], []],
    [
      lark('start: sum\nsum: sum "+" NUMBER | NUMBER\n%import common.NUMBER\n%ignore " "'),
      ['1', '1 + 2+3.5'],
      ['+1', '1 +', 'a'],
    ],
    [
      lark('start: "SELECT " COLUMN (", " COLUMN)* " WHERE " COLUMN (" < " | " = ") /"[^"\\n]*"/\nCOLUMN: /[a-z]+/'),
      ['SELECT a, b WHERE a < "x </b>"'],
      ['SELECT a WHERE a > "x"', 'SELECT a'],
    ],
  ])('is held to %j in each way of writing calls', (input, texts, others) => {
    const constraints = new GrammarConstraints(byteTokens, 257);
    for (const [format, write, unwritable] of STYLES) {
      const constraint = constraintOf(format, input);
      for (const text of texts.filter((each) => !unwritable?.test(each))) {
        expect(fits(constraint, write(text), constraints), `${format} ${text}`).toBe(true);
      }
      for (const text of others) expect(fits(constraint, write(text), constraints), `${format} ${text}`).toBe(false);
    }
  });

  it.each([
    [lark('start: "a'), /^tools\.run\.input: Grammar, line 1: the text that opens here is not closed/],
    [lark('root ::= "a"'), /begins a rule, name: …/],
    [lark('begin: "a"'), /no rule is called "start"/],
    [lark('start: /a(?=b)/'), /looks ahead, \(\?=…\), which is not supported/],
    [regex('a(?=b)'), /the regular expression looks ahead, \(\?=…\), which is not supported/],
    [regex('('), /the regular expression Invalid regular expression/],
    [regex('(?x)a'), /the regular expression has the flag x, and only i, s and u/],
    [regex('a(?i)b'), /has flags inside; write them at its beginning/],
    [regex('a++'), /never gives back/],
    [regex('[^\\s\\S]'), /no text fits it/],
    [regex('[ab]*a[ab]{12}'), /more than 2048 states/],
  ])('is refused with %j, naming the tool', (input, message) => {
    const constraints = new GrammarConstraints(byteTokens, 257);
    let error: unknown;
    try {
      constraints.create(constraintOf('hermes', input), [END]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ param: 'tools.run.input', message: expect.stringMatching(message) });
  });

  it('is refused where no text of its grammar can be written as the model writes calls', () => {
    const constraints = new GrammarConstraints(byteTokens, 257);
    const create = (format: string, input: Input) => constraints.create(constraintOf(format, input), [END]);
    for (const input of [lark('start: "<" "/parameter" ">"'), regex('.*</parameter>')]) {
      expect(() => create('qwen3-coder', input)).toThrow(
        /tools\.run\.input: .* each of its texts has what would end it/,
      );
      create('hermes', input)[Symbol.dispose]();
    }
  });

  it('is held beside functions and in free calls', () => {
    const constraints = new GrammarConstraints(byteTokens, 257);
    const base = constraintOf('hermes', regex('[0-9]+'));
    const constraint: CallConstraint = {
      ...base,
      choice: 'auto',
      parallel: true,
      tools: [...base.tools, { name: 'time', parameters: null, strict: false }],
    };
    const call = (name: string, given: string) => `<tool_call>{"name":"${name}","arguments":${given}}</tool_call>`;
    for (const [text, expected] of [
      ['Hello', true],
      [`Hello\n${call('run', '{"input":"12"}')}\n${call('time', '{"any":1}')}`, true],
      [call('run', '{"input":"a"}'), false],
      [call('run', '{"input":12}'), false],
      [call('run', '{"other":"12"}'), false],
    ] as const) {
      expect(fits(constraint, text, constraints), text).toBe(expected);
    }
  });
});
