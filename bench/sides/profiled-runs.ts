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
}
type Task = { kind: 'plain' | 'profiled' };

export interface PlainRuns {
  readonly decodeMs: number[];
  readonly promptMs: number;
}
export interface ProfiledRuns {
  readonly decode: RunTimes;
  readonly prompt: RunTimes;
}

const PROFILED_PROMPTS = 2;

serveSide<Settings, Task, PlainRuns | ProfiledRuns>(async (settings) => {
  const { modelFile, promptTokens } = settings;
  const size = { slots: 2, slotTokens: promptTokens, threads: 0, maxChunkTokens: promptTokens };
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
      return { decode: runTimes(events, products, settings.steps, PROFILED_PROMPTS), prompt };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
});

async function runs(
  runner: ModelRunner,
  { pastTokens, promptTokens, steps }: Settings,
  prompts: number,
): Promise<PlainRuns> {
  const past = new Int32Array(1);
  const token = new Int32Array(1);
  await runner.prefill(0, benchPrompt(pastTokens, 0), 0);
  const decodeMs: number[] = [];
  for (let step = 0; step < steps; step++) {
    token[0] = 300 + step;
    past[0] = pastTokens + step;
    const begin = performance.now();
    await runner.decode(1, token, past);
    decodeMs.push(performance.now() - begin);
  }
  let promptMs = Number.POSITIVE_INFINITY;
  for (let serial = 1; serial <= prompts; serial++) {
    const begin = performance.now();
    await runner.prefill(1, benchPrompt(promptTokens, serial), 0);
    promptMs = Math.min(promptMs, performance.now() - begin);
  }
  return { decodeMs, promptMs };
}
