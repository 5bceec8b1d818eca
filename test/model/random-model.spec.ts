import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXECUTION_PROVIDERS } from '#contracts';
import { openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import { makeRandomModel } from '../../bench/models/make-random-model.ts';
import { decodeStepBytes, randomShape } from '../../bench/models/random-shapes.ts';
import { differingValues, generateAlone } from './runner-driver.ts';

const shape = randomShape('tiny');
const tokenizer = fileURLToPath(new URL('../fixtures/models/tiny-llama', import.meta.url));
const provider = EXECUTION_PROVIDERS.find((name) => name === process.env.MILLRACE_TEST_PROVIDER) ?? 'cpu';
const PROMPT = [5, 17, 200, 31, 9];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'random-model-'));
});
afterAll(() => rm(root, { recursive: true }));

async function open(name: string) {
  const folder = join(root, name);
  await makeRandomModel(shape, folder, tokenizer);
  const { modelFile } = await openModelFolder(folder);
  const size = { slots: 2, slotTokens: 64, maxChunkTokens: 32 };
  return openModelRunner({ modelFile, ...size, threads: 1, binding: 'c-api', providers: [provider] });
}

it('is served in float16, in place, and says different things after different prompts', async () => {
  const runner = await open('served');
  expect(runner.description).toMatchObject({ kvType: 'float16', kvCache: 'in-place' });
  expect(runner.shape).toMatchObject({ vocabularySize: shape.vocabulary, layers: shape.layers });
  const { tokens, logits } = await generateAlone(runner, PROMPT, 16, 32);
  expect(tokens).toHaveLength(16);
  expect(logits.flatMap((row) => [...row]).every(Number.isFinite)).toBe(true);
  const other = await generateAlone(runner, [...PROMPT, 77], 16, 32);
  expect(differingValues(other.logits[0]!, logits[0]!)).toBeGreaterThan(shape.vocabulary / 2);
  await runner.close();
});

it('has the same bytes whenever it is made, as many as a step is said to read', async () => {
  await makeRandomModel(shape, join(root, 'first'), tokenizer);
  await makeRandomModel(shape, join(root, 'second'), tokenizer);
  const [first, second] = await Promise.all(
    ['first', 'second'].map((name) => readFile(join(root, name, 'model.onnx.data.0'))),
  );
  expect(first!.equals(second!)).toBe(true);
  // What is written and not read whole in every step: the embedding, the rotary tables, norms, pages begun.
  const unread = 2 * shape.vocabulary * shape.hidden + 2 * 2 * shape.positions * (shape.headSize / 2);
  const read = first!.length - unread;
  const pages = 4_096 * 20;
  expect(decodeStepBytes(shape, 0, 0)).toBeLessThanOrEqual(read);
  expect(decodeStepBytes(shape, 0, 0)).toBeGreaterThan(read - pages);
  expect(decodeStepBytes(shape, 3, 10) - decodeStepBytes(shape, 0, 0)).toBe(3 * 2 * 64 + 3 * 10 * 2 * 2 * 2 * 16 * 2);
});
