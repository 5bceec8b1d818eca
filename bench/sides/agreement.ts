import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionProvider, ModelRunner } from '#contracts';
import { openModelRunner } from '#model-runner';
import { exportedModel } from '../../test/model/exported-model.ts';
import { fixtureModel } from '../../test/model/fixture-models.ts';
import { writeHalfPrecision } from '../../test/model/half-precision.ts';
import { bestToken, logitsRow, prefillInChunks } from '../../test/model/runner-driver.ts';
import { serveSide } from '../side.ts';

interface Settings {
  provider: ExecutionProvider;
}
interface AgreementTask {
  fixture: string;
  /** `as-exported`: an export, on both sides as it is. */
  type: 'float32' | 'float16' | 'as-exported';
  /** Of each prompt's reference answer, at most. */
  answerTokens: number;
}

export interface Agreement {
  positions: number;
  agreed: number;
}

const SLOT_TOKENS = 256;
const LONGEST_PROMPT_TOKENS = 150;
const CHUNK_TOKENS = 64;

/** At how many positions a fixture on the provider has the same best token as in float32 on the CPU, given the same text. */
serveSide<Settings, AgreementTask, Agreement>(async ({ provider }) => {
  return async ({ fixture: name, type, answerTokens }) => {
    const fixture = type === 'as-exported' ? exportOf(name) : fixtureModel(name);
    const folder = await mkdtemp(join(tmpdir(), 'agreement-'));
    const halfFile = join(folder, 'model.onnx');
    if (type === 'float16') writeHalfPrecision(fixture.modelFile, halfFile);
    const open = (modelFile: string, on: ExecutionProvider) => {
      const size = { slots: 1, slotTokens: SLOT_TOKENS, threads: 0, maxChunkTokens: CHUNK_TOKENS };
      return openModelRunner({ modelFile, ...size, binding: 'c-api', providers: [on] });
    };
    const tried = await open(type === 'float16' ? halfFile : fixture.modelFile, provider);
    for (const reason of tried.description.fallbacks) console.error(`${provider}, ${name} in ${type}: ${reason}`);
    const reference = await open(fixture.modelFile, 'cpu');
    try {
      return await agreement(tried, reference, fixture.prompts, answerTokens);
    } finally {
      await tried.close();
      await reference.close();
      await rm(folder, { recursive: true });
    }
  };
});

/** With the prompts of a fixture whose tokens it knows. */
function exportOf(name: string): {
  modelFile: string;
  prompts: readonly { promptIds: number[]; generatedIds: number[] }[];
} {
  return { modelFile: exportedModel(`${name}/model.onnx`), prompts: fixtureModel('tiny-llama').prompts };
}

async function agreement(
  tried: ModelRunner,
  reference: ModelRunner,
  prompts: readonly { promptIds: number[]; generatedIds: number[] }[],
  answerTokens: number,
): Promise<Agreement> {
  const found: Agreement = { positions: 0, agreed: 0 };
  const count = (one: Float32Array, other: Float32Array) => {
    found.positions += 1;
    if (bestToken(one) === bestToken(other)) found.agreed += 1;
  };
  for (const { promptIds, generatedIds } of prompts.filter((each) => each.promptIds.length < LONGEST_PROMPT_TOKENS)) {
    count(
      await prefillInChunks(tried, 0, promptIds, CHUNK_TOKENS),
      await prefillInChunks(reference, 0, promptIds, CHUNK_TOKENS),
    );
    for (const [i, token] of generatedIds.slice(0, answerTokens).entries()) {
      const past = Int32Array.of(promptIds.length + i);
      for (const runner of [tried, reference]) await runner.decode(1, Int32Array.of(token), past);
      count(logitsRow(tried), logitsRow(reference));
    }
  }
  return found;
}
