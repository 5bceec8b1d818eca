import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callIds } from './call-ids.ts';
import { OUTPUT_FORMATS } from './choose-format.ts';
import { OutputParser } from './output-parser.ts';
import { type Call, WITHOUT_CONTENT, WRITERS } from './testing/format-writers.ts';
import { parse, TOOLS } from './testing/parse-answer.ts';

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

  it('gives the same ids for the same request, choice and call only', () => {
    expect(callIds('r', 0)(0)).toMatch(/^call_[A-Za-z0-9]{24}$/);
    expect(callIds('r', 0)(0)).toBe(callIds('r', 0)(0));
    expect(new Set([callIds('r', 0)(0), callIds('r', 0)(1), callIds('r', 1)(0), callIds('s', 0)(0)]).size).toBe(4);
  });
});
