import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ModelRunner } from '#contracts';
import { openModelRunner } from '#model-runner';
import { type RunTimes, readProfile, runTimes, weightProducts } from '../report/operator-times.ts';
import { serveSide } from '../side.ts';
import { benchPrompt } from './bare-loop-task.ts';

/** Runs of the bare runner: `plain` answers with how long they take, `profiled` with the operators that they consist of. */
interface Settings {
  modelFile: string;
  pastTokens: number;
  promptTokens: number;
  steps: number;
  /** Rows of the decode runs that stand for many streams. */
  batch: number;
}
type Task = { kind: 'plain' | 'profiled' };

export interface PlainRuns {
  readonly decodeMs: number[];
  /** Of `batch` rows. */
  readonly batchMs: number[];
  readonly promptMs: number;
}
export interface ProfiledRuns {
  readonly decode: RunTimes;
  readonly batch: RunTimes;
  readonly prompt: RunTimes;
}

const PROFILED_PROMPTS = 2;

serveSide<Settings, Task, PlainRuns | ProfiledRuns>(async (settings) => {
  const { modelFile, promptTokens, steps } = settings;
  const size = { slots: settings.batch + 1, slotTokens: promptTokens, threads: 0, maxChunkTokens: promptTokens };
  const plain = await openModelRunner({ modelFile, ...size, binding: 'c-api' });
  return async ({ kind }) => {
    if (kind === 'plain') return runs(plain, settings, 1);
    const folder = mkdtempSync(join(tmpdir(), 'millrace-profile-'));
    try {
      const profiled = await openModelRunner({
        modelFile,
        ...size,
        binding: 'c-api',
        profilePrefix: join(folder, 'runs'),
      });
      await runs(profiled, settings, PROFILED_PROMPTS);
      await profiled.close();
      const [file] = readdirSync(folder);
      if (file === undefined) throw new Error('ONNX Runtime wrote no profile');
      const events = readProfile(join(folder, file));
      const products = weightProducts(modelFile);
      const prompt = runTimes(events, products, PROFILED_PROMPTS);
      const batch = runTimes(events, products, steps, PROFILED_PROMPTS);
      return { decode: runTimes(events, products, steps, PROFILED_PROMPTS + steps), batch, prompt };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
});

async function runs(runner: ModelRunner, settings: Settings, prompts: number): Promise<PlainRuns> {
  const { pastTokens, promptTokens, batch } = settings;
  for (let slot = 0; slot < batch; slot++) await runner.prefill(slot, benchPrompt(pastTokens, slot), 0);
  const decodeMs = await decodeRuns(runner, 1, settings);
  const batchMs = await decodeRuns(runner, batch, settings);
  let promptMs = Number.POSITIVE_INFINITY;
  for (let serial = 1; serial <= prompts; serial++) {
    const begin = performance.now();
    await runner.prefill(batch, benchPrompt(promptTokens, serial), 0);
    promptMs = Math.min(promptMs, performance.now() - begin);
  }
  return { decodeMs, batchMs, promptMs };
}

async function decodeRuns(runner: ModelRunner, rows: number, { pastTokens, steps }: Settings): Promise<number[]> {
  const past = new Int32Array(rows);
  const tokens = new Int32Array(rows);
  const decodeMs: number[] = [];
  for (let step = 0; step < steps; step++) {
    tokens.fill(300 + step);
    past.fill(pastTokens + step);
    const begin = performance.now();
    await runner.decode(rows, tokens, past);
    decodeMs.push(performance.now() - begin);
  }
  return decodeMs;
}
