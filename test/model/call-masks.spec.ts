import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutputConstraint, TokenTable } from '#contracts';
import { callIds, joinEvents, OUTPUT_FORMATS, OutputParser, toolSetOf } from '#models';
import { GrammarConstraints, SchemaRefusedError } from '#models/grammar';
import { anySchema } from './structured-schemas.ts';

type CallConstraint = Extract<OutputConstraint, { type: 'tool_calls' }>;
type Tool = CallConstraint['tools'][number];

/** Runs per format; more in a longer run. */
const RUNS = Number(process.env.MILLRACE_TEST_CALLS ?? 24);
const MAX_TOKENS = 700;

/** Every byte, all marks of all formats, and what brings documents to an end. */
const MARKS = [...OUTPUT_FORMATS.values()].flatMap((format) => [
  ...format.openings,
  ...format.surroundings,
  ...(format.innerMarks ?? []),
  ...(format.dropped ?? []),
  ...(format.reasoning === undefined ? [] : [format.reasoning.open, format.reasoning.close]),
]);
const WORDS = [
  '"}',
  '"}}',
  '"}]',
  '")]',
  '", "',
  '": ',
  '</',
  'the ',
  ' call',
  '```json',
  '\n\n',
  '\r\n',
  '{"name": "',
  'é',
  'ü',
];
const STOP = 0;
const TOKENS = [
  ...new Map(
    [
      '',
      ...Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)),
      ...[...MARKS, ...WORDS].map(latin),
    ].map((token) => [token, token]),
  ).keys(),
];
const CLOSERS = new Set(
  TOKENS.flatMap((token, id) =>
    /^["}\])>,:{[=\s]*$|^<|^\[/.test(token) || MARKS.some((mark) => latin(mark) === token) ? [id] : [],
  ),
);

function latin(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function tokenTable(): TokenTable {
  const pieces = TOKENS.map((token) => Buffer.from(token, 'latin1'));
  const offsets = new Uint32Array(pieces.length + 1);
  for (const [token, piece] of pieces.entries()) offsets[token + 1] = offsets[token] + piece.length;
  return { bytes: Buffer.concat(pieces), offsets, special: new Uint8Array(pieces.length), stripLeadingSpace: false };
}

const constraints = new GrammarConstraints(tokenTable(), TOKENS.length);

/** Draws tokens that the mask allows, with a push towards the end of strings and lists. Null when it was cut. */
function sample(constraint: CallConstraint, seed: number): string | null {
  using match = constraints.create(constraint, [STOP]);
  let state = seed * 2_654_435_761 + 12_345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const bytes: Buffer[] = [];
  for (let count = 0; count < MAX_TOKENS; count++) {
    const mask = match.allowedTokens();
    const allowed = TOKENS.flatMap((_, token) => ((mask[token >>> 5] >>> (token & 31)) & 1 ? [token] : []));
    expect(allowed.length, `dead end behind ${Buffer.concat(bytes)}`).toBeGreaterThan(0);
    const closers = allowed.filter((token) => CLOSERS.has(token));
    const from = closers.length > 0 && random(10) < 4 ? closers : allowed;
    const token = allowed.includes(STOP) && random(3) === 0 ? STOP : from[random(from.length)];
    if (token === STOP) return Buffer.concat(bytes).toString();
    expect(match.accept(token)).toBe(true);
    bytes.push(Buffer.from(TOKENS[token], 'latin1'));
  }
  return null;
}

function parse(text: string, { format, tools, reasoning }: CallConstraint) {
  const found = OUTPUT_FORMATS.get(format);
  if (found === undefined) throw new Error(format);
  const known = tools.map(({ name, parameters, input }) => ({
    name,
    ...(parameters === null ? {} : { parameters }),
    isCustom: input !== undefined,
  }));
  const parser = new OutputParser({
    format: found,
    tools: toolSetOf(known),
    reasoning: reasoning?.start ?? 'off',
    callId: callIds('r', 0),
  });
  return joinEvents([...parser.push(text), ...parser.finish()]);
}

function isValid(schema: object, json: string): boolean {
  const ajv = new Ajv({ strict: false });
  addFormats.default(ajv);
  return ajv.validate(schema, JSON.parse(json));
}

/** @returns how many calls there were */
function check(constraint: CallConstraint, text: string): number {
  const context = `${JSON.stringify(constraint)} gave ${JSON.stringify(text)}`;
  const { content, calls } = parse(text, constraint);
  const isFree = constraint.choice === 'auto';
  if (!isFree || (constraint.content !== undefined && calls.length > 0)) {
    expect(calls.length, context).toBeGreaterThan(0);
    expect(content.trim(), context).toBe('');
  } else if (constraint.content !== undefined) {
    expect(isValid(constraint.content, content), context).toBe(true);
  }
  if (!constraint.parallel) expect(calls.length, context).toBeLessThan(2);
  for (const call of calls) {
    const tool = constraint.tools.find(({ name }) => name === call.name);
    expect(call.isCustom ?? false, context).toBe(tool?.input !== undefined);
    if (typeof constraint.choice === 'object') expect(call.name, context).toBe(constraint.choice.name);
    expect(call.complete, context).toBe(true);
    if (tool?.input !== undefined) {
      expect(call.arguments, context).toMatch(TEXTS_OF.get(tool.input.definition)!);
      continue;
    }
    expect(JSON.parse(call.arguments), context).toBeTypeOf('object');
    const isHeld = tool?.parameters != null && (!isFree || tool.strict);
    if (isHeld) expect(isValid({ type: 'object', ...tool.parameters }, call.arguments), context).toBe(true);
  }
  return calls.length;
}

const WEATHER: Tool = {
  name: 'get_weather',
  strict: true,
  parameters: {
    type: 'object',
    properties: {
      city: { type: 'string' },
      unit: { enum: ['celsius', 'fahrenheit'] },
      days: { type: 'integer', minimum: 1, maximum: 14 },
      zip: { type: 'string', pattern: '^\\d{5}$' },
      note: { type: 'string', maxLength: 12, minLength: 2 },
      tags: { type: 'array', items: { type: ['string', 'null'] } },
      where: { $ref: '#/$defs/place' },
      flag: { type: 'boolean' },
    },
    required: ['city', 'days'],
    additionalProperties: false,
    $defs: { place: { type: 'object', properties: { near: { $ref: '#/$defs/place' }, x: { type: 'number' } } } },
  },
};
const TEXT_PARAMETERS = { type: 'object', properties: { input: { type: 'string' } }, required: ['input'] };
const LARK =
  'start: line~1..3\nline: (WORD | quoted) ("<" | "/" | ", " | ">") [NEWLINE]\nquoted: "\\"" /[^"\\r]{0,6}/ "\\""\nWORD: /[a-z]{1,9}/\nNEWLINE: /\\n[ \\t]?/';
const REGEX = '[^a-z0-9\\r]{1,4}|x="[a-z<>/|]{0,12}";';
const TEXTS_OF = new Map([
  [LARK, /^(?:(?:[a-z]{1,9}|"[^"\r]{0,6}")(?:<|\/|, |>)(?:\n[ \t]?)?){1,3}$/u],
  [REGEX, /^(?:[^a-z0-9\r]{1,4}|x="[a-z<>/|]{0,12}";)$/u],
]);
const CUSTOM = (
  [
    ['run', 'lark', LARK],
    ['say', 'regex', REGEX],
  ] as const
).map(
  ([name, syntax, definition]): Tool => ({
    name,
    strict: true,
    parameters: TEXT_PARAMETERS,
    input: { syntax, definition },
  }),
);
const FREE: Tool = { name: 'get', strict: false, parameters: null };
const LOOSE: Tool = { ...WEATHER, name: 'get_weather_2', strict: false };

const toolList = fc.oneof(
  fc.constantFrom<Tool[]>([WEATHER], [WEATHER, FREE], [FREE], [LOOSE, WEATHER], [FREE, LOOSE]),
  fc.array(anySchema, { minLength: 4, maxLength: 4 }).map((schemas): Tool[] => {
    const [a, b, shared, again] = schemas as { $defs?: object }[];
    const properties = { a, b, shared, again };
    return [
      { name: 'f', strict: true, parameters: { type: 'object', properties, required: ['a'], $defs: a.$defs } },
      FREE,
    ];
  }),
);

describe.each([...OUTPUT_FORMATS.values()].map((format) => [format.name, format] as const))(
  'masks of %s calls',
  (name, format) => {
    const starts = format.reasoning === undefined ? [undefined] : [undefined, 'marked' as const, 'opened' as const];
    const anyConstraint = fc
      .tuple(toolList, fc.constantFrom('required', 'named', 'auto'), fc.boolean(), fc.constantFrom(...starts))
      .map(
        ([tools, choice, parallel, start]): CallConstraint => ({
          type: 'tool_calls',
          format: name,
          tools,
          choice: choice === 'named' ? { name: tools[0].name } : (choice as 'required' | 'auto'),
          parallel,
          ...(start === undefined ? {} : { reasoning: { format: name, start } }),
        }),
      );

    it('give calls that the format reads, with valid arguments', () => {
      let [ended, calls] = [0, 0];
      const drawn = fc.sample(anyConstraint, { numRuns: RUNS, seed: 11 });
      for (const [seed, constraint] of drawn.entries()) {
        let text: string | null;
        try {
          text = sample(constraint, seed);
        } catch (error) {
          if (error instanceof SchemaRefusedError) continue;
          throw error;
        }
        if (text === null) continue;
        ended += 1;
        calls += check(constraint, text);
      }
      expect(ended).toBeGreaterThan(RUNS / 4);
      expect(calls).toBeGreaterThan(RUNS / 8);
    });

    it('give calls of custom tools whose input the format reads as a text of its grammar', () => {
      let calls = 0;
      const tools = [...CUSTOM, FREE];
      for (let seed = 0; seed < RUNS; seed++) {
        const choice = [{ name: tools[seed % 2].name }, 'required', 'auto'][seed % 3] as CallConstraint['choice'];
        const constraint: CallConstraint = {
          type: 'tool_calls',
          format: name,
          tools,
          choice,
          parallel: seed % 2 === 0,
        };
        const text = sample(constraint, seed);
        if (text !== null) calls += check(constraint, text);
      }
      expect(calls).toBeGreaterThan(RUNS / 4);
    });

    it('give calls or a document where an answer may be either', () => {
      const content = {
        type: 'object',
        properties: { name: { type: 'string' }, text: { type: 'string', maxLength: 40 }, list: { type: 'array' } },
        required: ['name'],
      };
      const base: CallConstraint = {
        type: 'tool_calls',
        format: name,
        tools: [FREE, WEATHER],
        choice: 'auto',
        parallel: true,
        content,
      };
      if ((format.bareStarts ?? '').includes('{')) {
        expect(() => sample(base, 0)).toThrow('response_format');
        return;
      }
      let [documents, withCalls] = [0, 0];
      for (let seed = 0; seed < RUNS; seed++) {
        const start = starts[seed % starts.length];
        const constraint = start === undefined ? base : { ...base, reasoning: { format: name, start } };
        const text = sample(constraint, seed);
        if (text === null) continue;
        if (check(constraint, text) > 0) withCalls += 1;
        else documents += 1;
      }
      expect(documents).toBeGreaterThan(0);
      expect(withCalls).toBeGreaterThan(0);
    });
  },
);
