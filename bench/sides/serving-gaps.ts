import { readFileSync } from 'node:fs';
import { GREEDY } from '#contracts';
import { Engine, type EngineRequest } from '#engine';
import { inspectModel, openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import { serveSide } from '../side.ts';

/** The whole engine, in-thread: the time between the tokens of running answers while long prompts arrive. */
interface Settings {
  modelFolder: string;
  slots: number;
  slotTokens: number;
  kvTokens: number;
  prefixCacheBytes: number;
  decodeStretch: number;
  prefillParts: number;
}
interface Task {
  /** Answers that run all the time. */
  streams: number;
  /** Steps of them that are measured before a prompt arrives, and as many after it. */
  steps: number;
  /** Prompts that arrive at once, and tokens of each; all steps are measured until the last one is computed. */
  prompts: number;
  promptTokens: number;
}

export interface ServingGaps {
  aloneMs: number[];
  /** In order, from the prompts' arrival until the last one's first token. */
  besideMs: number[];
  /** Of these, the ones while the last quarter of the prompts was computed. */
  lastQuarterMs: number[];
  prefillTokensPerSecond: number;
  /** Peak since the side started. */
  peakBytes: number;
  /** What the side was told that it may take, and what it has to load. */
  weightBytes: number;
  kvBytes: number;
}

serveSide<Settings, Task, ServingGaps>(async (settings) => {
  const { modelFolder, slots, slotTokens, kvTokens, prefixCacheBytes, decodeStretch, prefillParts } = settings;
  const folder = await openModelFolder(modelFolder);
  const { modelFile } = folder;
  const { weightBytes } = await inspectModel(modelFile);
  const size = { slots, slotTokens, prefixCacheBytes, threads: 0, maxChunkTokens: 128, prefillParts };
  // Providers and binding as a worker has them unless told otherwise.
  const runner = await openModelRunner({ modelFile, ...size, providers: ['cuda', 'cpu'], binding: 'auto' });
  const options = { runner, tokenTable: folder.tokenTable(), prefillChunkTokens: 128, kvTokens, decodeStretch };
  const engine = new Engine(options);
  let serial = 0;
  const submit = (kind: string, promptTokens: number, maxTokens: number): EngineRequest => {
    const id = serial++;
    const promptTokenIds = Int32Array.from({ length: promptTokens }, (_, i) => (i * 37 + id * 977 + 300) % 40_000);
    const stop = { tokenIds: [], strings: [], maxTokens };
    const parts = { requestId: `${kind}-${id}`, epoch: 1, promptTokenIds, choices: 1, sampling: GREEDY, stop };
    const request = { ...parts, tenantId: kind, topLogprobs: null };
    engine.submit(request);
    return request;
  };
  let lastMs: number | null = null;
  let gapsMs: number[] = [];
  let promptsEnded = 0;
  engine.onStep(({ deltas, finished }) => {
    promptsEnded += finished.filter(({ requestId }) => requestId.startsWith('prompt')).length;
    if (!deltas.some(({ requestId }) => requestId.startsWith('stream'))) return;
    const now = performance.now();
    if (lastMs !== null) gapsMs.push(now - lastMs);
    lastMs = now;
  });
  const gapsOf = async (goesOn: () => boolean): Promise<number[]> => {
    [gapsMs, lastMs] = [[], performance.now()];
    while (goesOn()) await engine.step();
    return gapsMs;
  };
  const kvBytes = (runner.description.kvBytes / (slots * slotTokens)) * kvTokens + prefixCacheBytes;

  return async ({ streams, steps, prompts, promptTokens }) => {
    for (let stream = 0; stream < streams; stream++) submit('stream', 64, slotTokens - 100);
    while (engine.stats().running < streams || engine.stats().waiting > 0) await engine.step();
    for (let step = 0; step < 10; step++) await engine.step();
    const alone = () => gapsOf(() => gapsMs.length < steps);
    const before = await alone();
    promptsEnded = 0;
    const prefilledBefore = engine.stats().prefilledTokensTotal;
    const computed = () => engine.stats().prefilledTokensTotal - prefilledBefore;
    for (let prompt = 0; prompt < prompts; prompt++) submit('prompt', promptTokens, 1);
    const begin = performance.now();
    const first = await gapsOf(() => computed() < prompts * promptTokens * 0.75);
    const lastQuarterMs = await gapsOf(() => promptsEnded < prompts);
    const seconds = (performance.now() - begin) / 1_000;
    const aloneMs = [...before, ...(await alone())];
    for (let id = 0; id < serial; id++) for (const kind of ['stream', 'prompt']) engine.cancel(`${kind}-${id}`, 1);
    await engine.runUntilIdle();
    const peakBytes = 1_024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    return {
      aloneMs,
      besideMs: [...first, ...lastQuarterMs],
      lastQuarterMs,
      prefillTokensPerSecond: (prompts * promptTokens) / seconds,
      peakBytes,
      weightBytes,
      kvBytes,
    };
  };
});
