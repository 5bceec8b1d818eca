import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GREEDY, type ModelRunner, type OutputConstraint, type TokenTable } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { openModelRunner } from '#model-runner';
import { tokenTableFromTokenizerJson } from '#models';
import { GrammarConstraints, SchemaGrammar, SchemaRefusedError } from '#models/grammar';
import { CollectedAnswers } from '../../libs/engine/src/testing/collected-answers.ts';
import { GRAMMAR_CASES } from './structured-grammars.ts';
import { anySchema, KEYWORD_SCHEMAS } from './structured-schemas.ts';

const FOLDER = new URL('../fixtures/models/tiny-llama/', import.meta.url);
const VOCABULARY = 384;
const SLOTS = 16;
const STOP_TOKEN = 2;
/** Schemas of the random part; more in a longer run. */
const RANDOM_SCHEMAS = Number(process.env.MILLRACE_TEST_SCHEMAS ?? 300);

let runner: ModelRunner;
let tokenTable: TokenTable;
let constraints: GrammarConstraints;

beforeAll(async () => {
  const modelFile = fileURLToPath(new URL('model.onnx', FOLDER));
  const options = { slots: SLOTS, slotTokens: 256, threads: 1, binding: 'auto', maxChunkTokens: 32 } as const;
  runner = await openModelRunner({ modelFile, ...options });
  tokenTable = tokenTableFromTokenizerJson(readFileSync(new URL('tokenizer.json', FOLDER), 'utf8'), VOCABULARY);
  constraints = new GrammarConstraints(tokenTable, VOCABULARY);
});
afterAll(() => runner.close());

function validatorOf(schema: unknown) {
  const isNew = /"(unevaluated|prefixItems|dependent[RS])/.test(JSON.stringify(schema));
  const ajv = isNew ? new Ajv2020({ strict: false }) : new Ajv({ strict: false });
  addFormats.default(ajv);
  return ajv.compile(schema as object);
}

function requestOf(id: string, schema: unknown, choices: number, seed: number): EngineRequest {
  // Without a push towards the end, a random model hardly ever ends a string or a list.
  const logitBias = [...'"}],'].map((character): [number, number] => [tokenOf(character), 4]);
  return {
    requestId: id,
    epoch: 1,
    promptTokenIds: Int32Array.of(5, 6, 7),
    choices,
    sampling: { ...GREEDY, temperature: 1.5, seed, logitBias: [...logitBias, [STOP_TOKEN, 4]] },
    stop: { tokenIds: [STOP_TOKEN], strings: [], maxTokens: 200 },
    constraint: schema === undefined ? null : ({ type: 'json_schema', schema, strict: true } as OutputConstraint),
    topLogprobs: null,
  };
}

function tokenOf(character: string): number {
  const { bytes, offsets } = tokenTable;
  const code = character.charCodeAt(0);
  return offsets.findIndex((from, token) => offsets[token + 1] === from + 1 && bytes[from] === code);
}

async function run(requests: readonly EngineRequest[]): Promise<CollectedAnswers> {
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 32, constraints });
  const answers = new CollectedAnswers(engine);
  for (const request of requests) engine.submit(request);
  await engine.runUntilIdle();
  return answers;
}

/**
 * The document, parsed where nothing was parsed before: after `{"<":1,"\\":2}` Node 24's `JSON.parse` takes the key `"\""` of the
 * next object that begins alike for a backslash.
 */
function parsedAfresh(text: string): unknown {
  return structuredClone(runInNewContext('JSON.parse(text)', { text }));
}

/** @returns how many answers ended by themselves, after checking each of them */
async function checkAnswers(schemas: readonly unknown[], choices: number): Promise<number> {
  const answers = await run(schemas.map((schema, index) => requestOf(`${index}`, schema, choices, index)));
  expect([...answers.failures.values()]).toEqual([]);
  let ended = 0;
  for (const [index, schema] of schemas.entries()) {
    const isValid = validatorOf(schema);
    for (let choice = 0; choice < choices; choice++) {
      const { text, finish } = answers.answer(`${index}`, choice);
      if (finish?.reason !== 'stop') continue;
      ended += 1;
      const context = `${JSON.stringify(schema)} gave ${text}`;
      expect(isValid(JSON.parse(text)) || isValid(parsedAfresh(text)), context).toBe(true);
    }
  }
  return ended;
}

describe('structured output of a random model at temperature 1.5', () => {
  it('is valid against schemas with every keyword that is enforced', async () => {
    const ended = await checkAnswers(KEYWORD_SCHEMAS, 8);
    expect(ended).toBeGreaterThan(KEYWORD_SCHEMAS.length * 6);
  });

  it(`is valid against ${RANDOM_SCHEMAS} random schemas`, { timeout: 900_000 }, async () => {
    const schemas = fc.sample(anySchema, { numRuns: RANDOM_SCHEMAS * 2, seed: 7 });
    // Some can have no finite document at all; nothing else may be refused.
    const satisfiable = schemas.filter((schema) => isAccepted(schema)).slice(0, RANDOM_SCHEMAS);
    expect(satisfiable.length).toBe(RANDOM_SCHEMAS);
    const ended = await checkAnswers(satisfiable, 2);
    expect(ended).toBeGreaterThan(RANDOM_SCHEMAS);
  });

  it('leaves free requests in the same batch as they are alone', async () => {
    const free = Array.from({ length: 4 }, (_, index) => requestOf(`free ${index}`, undefined, 1, index));
    const bound = KEYWORD_SCHEMAS.slice(0, 12).map((schema, index) => requestOf(`bound ${index}`, schema, 1, index));
    const mixed = await run(free.flatMap((request, index) => [request, ...bound.slice(index * 3, index * 3 + 3)]));
    for (const request of free) {
      const alone = await run([request]);
      expect(mixed.answer(request.requestId).tokenIds).toEqual(alone.answer(request.requestId).tokenIds);
    }
  });

  it('is of the language of grammars as they are written for models', async () => {
    const requests = GRAMMAR_CASES.map(({ name, grammar, push }, index): EngineRequest => {
      const request = requestOf(name, undefined, 16, index);
      const logitBias = [...push].map((character): [number, number] => [tokenOf(character), 5]);
      return {
        ...request,
        sampling: { ...request.sampling, logitBias: [...logitBias, [STOP_TOKEN, 6]] },
        constraint: { type: 'grammar', grammar },
      };
    });
    const answers = await run(requests);
    expect([...answers.failures.values()]).toEqual([]);
    for (const { name, isValid } of GRAMMAR_CASES) {
      const texts = Array.from({ length: 16 }, (_, choice) => answers.answer(name, choice))
        .filter(({ finish }) => finish?.reason === 'stop')
        .map(({ text }) => text);
      expect(texts.length, name).toBeGreaterThan(0);
      for (const text of texts) expect(isValid(text), `${name}: ${JSON.stringify(text)}`).toBe(true);
    }
  });

  it('is a JSON object in JSON mode', async () => {
    const constraint: OutputConstraint = { type: 'json_object' };
    const answers = await run([{ ...requestOf('a', undefined, 16, 1), constraint }]);
    const ended = [...answers.answers.values()].filter(({ finish }) => finish?.reason === 'stop');
    expect(ended.length).toBeGreaterThan(0);
    for (const { text } of ended) expect(JSON.parse(text)).toBeTypeOf('object');
  });
});

/** @throws when a schema is refused for another reason than that nothing fits it */
function isAccepted(schema: unknown): boolean {
  try {
    SchemaGrammar.compile(schema);
    return true;
  } catch (error) {
    if (error instanceof SchemaRefusedError && error.code === 'invalid_request') return false;
    throw error;
  }
}
