import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OUTPUT_FORMATS } from './choose-format.ts';
import { CustomInput } from './custom-input.ts';
import { joinEvents } from './output-event.ts';
import { OutputParser } from './output-parser.ts';
import { WRITERS } from './testing/format-writers.ts';
import { parse } from './testing/parse-answer.ts';
import { toolSetOf } from './tool-set.ts';

const TOOLS = toolSetOf([
  { name: 'look_up', parameters: { properties: { input: { type: 'string' } } }, isCustom: true },
  { name: 'sum-2' },
]);
const SAID = 'SELECT "a"\n\tFROM b WHERE c < \'d\' AND e = "\\n" -- ü 🙂';

function inputOf(pieces: readonly string[]) {
  const input = new CustomInput();
  const told = pieces.map((piece) => input.push(piece));
  return { told, whole: told.join('') + input.end() };
}

describe('CustomInput', () => {
  it('tells the text as it comes, however it is escaped and wherever its pieces are cut', () => {
    const character = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
      fc.constantFrom('"', '\\', '\n', '\u0001', '🙂', '/'),
    );
    const written = fc.array(fc.tuple(character, fc.boolean()));
    fc.assert(
      fc.property(written, fc.infiniteStream(fc.integer({ min: 1, max: 5 })), fc.boolean(), (all, sizes, isLoose) => {
        const escaped = all.map(([each, isHex]) =>
          isHex
            ? Array.from({ length: each.length }, (_, at) => hex(each.charCodeAt(at))).join('')
            : JSON.stringify(each).slice(1, -1),
        );
        const json = isLoose ? `{ "input" :\n"${escaped.join('')}" }` : `{"input":"${escaped.join('')}"}`;
        const pieces: string[] = [];
        for (let from = 0; from < json.length; from += pieces.at(-1)!.length) {
          pieces.push(json.slice(from, from + (sizes.next().value ?? 1)));
        }
        const { told, whole } = inputOf(pieces);
        expect(whole).toBe(all.map(([each]) => each).join(''));
        expect(told.join('')).toBe(whole);
        // No piece ends in half of a pair.
        for (const piece of told) expect(piece.isWellFormed()).toBe(true);
      }),
    );
  });

  it('waits for arguments of another form: a text of that name in them, else they themselves', () => {
    const long = 'x'.repeat(200);
    for (const [json, text] of [
      ['{"why":"so","input":"a"}', 'a'],
      [`{"why":"${long}","input":"a\\n"}`, 'a\n'],
      ['{"\\u0069nput":"a"}', 'a'],
      ['{}', '{}'],
      ['{"input":1}', '{"input":1}'],
      ['no JSON', 'no JSON'],
      ['{"input":null,"code":"a"}', '{"input":null,"code":"a"}'],
      [`{"code":"${long}"}`, `{"code":"${long}"}`],
    ] as const) {
      for (const pieces of [[json], [...json]]) {
        const { told, whole } = inputOf(pieces);
        expect([told.join(''), whole]).toEqual(['', text]);
      }
    }
    expect(inputOf([...'{"input":"a","input":"b","c":"d"}']).whole).toBe('a');
  });
});

describe('calls of custom tools', () => {
  it.each(Object.keys(WRITERS))('are told with the text of their input, beside other calls: %s', (name) => {
    const calls = [
      { name: 'look_up', args: { input: SAID } },
      { name: 'sum-2', args: { unit: 'a' } },
    ];
    const said = WRITERS[name]!({ content: '', calls });
    for (const wholeCalls of [true, false]) {
      for (const pieces of [[said], said.split('')]) {
        expect(parse(name, pieces, { tools: TOOLS, wholeCalls }).calls).toMatchObject([
          { name: 'look_up', arguments: SAID, isCustom: true, complete: true },
          { name: 'sum-2', complete: true },
        ]);
      }
    }
    const [, other] = parse(name, [said], { tools: TOOLS }).calls;
    expect(other).not.toHaveProperty('isCustom');
    expect(JSON.parse(other!.arguments)).toEqual({ unit: 'a' });
  });

  it('are told in pieces where they are held to their form, and as far as they came where they are cut', () => {
    const format = OUTPUT_FORMATS.get('hermes')!;
    const options = { format, tools: TOOLS, reasoning: 'off', callId: String, heldTo: 'calls' } as const;
    const parser = new OutputParser(options);
    const head = '<tool_call>{"name": "look_up", "arguments": {"inp';
    expect(parser.push(head)).toEqual([{ type: 'call-start', index: 0, id: '0', name: 'look_up', isCustom: true }]);
    expect(parser.push('ut": "a')).toEqual([{ type: 'call-input', index: 0, text: 'a' }]);
    expect(parser.push('\\')).toEqual([]);
    expect(parser.push('nb')).toEqual([{ type: 'call-input', index: 0, text: '\nb' }]);
    expect(parser.finish()).toEqual([{ type: 'call-end', index: 0, complete: false }]);
    const cut = new OutputParser(options);
    expect(joinEvents([...cut.push(head), ...cut.finish()]).calls).toMatchObject([{ arguments: '', complete: false }]);
  });

  it('are content where they break and nothing holds them', () => {
    const said = '<tool_call>{"name": "look_up", "arguments": {"input": "a"';
    expect(parse('hermes', [...said], { tools: TOOLS, wholeCalls: true })).toMatchObject({ content: said, calls: [] });
  });
});

function hex(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
