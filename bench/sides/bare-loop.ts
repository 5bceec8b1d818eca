import { availableParallelism } from 'node:os';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ExecutionProvider, ModelRunner } from '#contracts';
import { inspectModel, openModelRunner } from '#model-runner';
import { serveSide } from '../side.ts';
import {
  type BareLoopTask,
  BENCH_CHUNK_TOKENS,
  benchPrompt,
  type StepTokens,
  type TokensTask,
  type TransfersTask,
} from './bare-loop-task.ts';
import { bareDecode, barePrefill, bestTokens, joinedBefore, prefillChunks, stepTransfers } from './bare-runs.ts';

/**
 * Nothing but runs of the model. `runner`: our runner in a loop. `session-run`: onnxruntime-node's `InferenceSession.run`
 * with pre-allocated feeds and fetches, as its documentation shows.
 */
interface Settings {
  loop: 'runner' | 'session-run';
  modelFile: string;
  slots: number;
  slotTokens: number;
  /** The CPU unless set. */
  providers?: ExecutionProvider[];
  /** `device` keeps to the provider's allocator, on the CPU too; `auto` unless set. */
  kvMemory?: 'auto' | 'device';
  /** Decode runs of up to so many rows are captured as CUDA graphs; none unless set. */
  capturedRows?: number;
}
type Task = BareLoopTask | TransfersTask | TokensTask;
type Answer = number[] | StepTokens;
/** Writes what the rows of `bareDecode` read. */
class FilledSlots {
  readonly #runner: ModelRunner;
  readonly #tokens: number[];

  constructor(runner: ModelRunner) {
    this.#runner = runner;
    this.#tokens = new Array<number>(runner.slots).fill(0);
  }

  async fill(rows: number, tokens: number): Promise<void> {
    const first = this.#tokens[0] ?? 0;
    // A chunk of one token would be computed another way.
    const from = Math.max(0, Math.min(first, tokens - 2));
    if (first < tokens) await prefillChunks(this.#runner, 0, benchPrompt(tokens, 0), from);
    for (let slot = 1; slot < rows; slot++)
      if ((this.#tokens[slot] ?? 0) < tokens) this.#runner.copySlot(0, slot, tokens);
    for (let slot = 0; slot < rows; slot++) this.#tokens[slot] = Math.max(tokens, this.#tokens[slot] ?? 0);
  }
}

async function runnerLoop(settings: Settings): Promise<(task: Task) => Promise<Answer>> {
  const { modelFile, slots, slotTokens, providers, kvMemory, capturedRows } = settings;
  const size = { slots, slotTokens, threads: 0, maxChunkTokens: BENCH_CHUNK_TOKENS };
  const where = { providers, kvMemory, capturedRows, binding: 'c-api' } as const;
  // Who measures a device wants to know what it does not do.
  const onFallback = (reason: string): void => {
    if (providers !== undefined) console.error(`${providers.join(', ')}: ${reason}`);
  };
  const runner = await openModelRunner({ modelFile, ...size, ...where, prefillParts: 0, onFallback });
  const filled = new FilledSlots(runner);
  return async (task) => {
    if (task.kind === 'prefill') return [await barePrefill(runner, task.prompts, task.promptTokens)];
    const { rows, pastTokens, steps } = task;
    if (task.kind === 'tokens') {
      const before = runner.graphReplays ?? null;
      const tokens = await bestTokens(runner, rows, pastTokens, steps);
      const graphReplays = before === null ? null : (runner.graphReplays ?? 0) - before;
      return { tokens, graphReplays, fallbacks: runner.description.fallbacks };
    }
    await filled.fill(rows, pastTokens + rows + steps);
    if (task.kind === 'transfers') return stepTransfers(runner, rows, pastTokens, steps);
    return bareDecode(runner, rows, pastTokens, steps);
  };
}

async function sessionLoop(settings: Settings): Promise<(task: Task) => Promise<Answer>> {
  const shape = await inspectModel(settings.modelFile);
  const session = await InferenceSession.create(settings.modelFile, {
    intraOpNumThreads: availableParallelism(),
    logSeverityLevel: 3,
    ...(settings.providers !== undefined && { executionProviders: settings.providers }),
  });
  const rowElements = shape.kvHeads * settings.slotTokens * shape.headSize;
  const caches = shape.cache.map(({ past, present }) => ({
    past,
    present,
    // [slots, kvHeads, slotTokens, headSize]
    data: new Float32Array(settings.slots * rowElements).fill(0.01),
  }));
  return async (task) => {
    if (task.kind !== 'decode') throw new Error('the loop session-run decodes only');
    const { rows, pastTokens, steps } = task;
    const inputIds = BigInt64Array.from({ length: rows }, (_, row) => BigInt((row * 13 + 7) % shape.vocabularySize));
    const feeds: Record<string, Tensor> = { input_ids: new Tensor('int64', inputIds, [rows, 1]) };
    const fetches: Record<string, Tensor> = {
      logits: new Tensor('float32', new Float32Array(rows * shape.vocabularySize), [rows, 1, shape.vocabularySize]),
    };
    for (const { past, present, data } of caches) {
      const view = data.subarray(0, rows * rowElements);
      const tensor = new Tensor('float32', view, [rows, shape.kvHeads, settings.slotTokens, shape.headSize]);
      feeds[past] = tensor;
      fetches[present] = tensor;
    }
    const stepMs: number[] = [];
    for (let step = 0; step < steps; step++) {
      const total = pastTokens + joinedBefore(0, rows) + step + 1;
      const begin = performance.now();
      const mask = new BigInt64Array(rows * total);
      for (let row = 0; row < rows; row++)
        mask.fill(1n, row * total, row * total + pastTokens + joinedBefore(row, rows) + step + 1);
      feeds.attention_mask = new Tensor('int64', mask, [rows, total]);
      await session.run(feeds, fetches);
      stepMs.push(performance.now() - begin);
    }
    return stepMs;
  };
}

serveSide<Settings, Task, Answer>((settings) =>
  settings.loop === 'runner' ? runnerLoop(settings) : sessionLoop(settings),
);
