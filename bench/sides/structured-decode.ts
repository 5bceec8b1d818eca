import { GREEDY, type OutputConstraint } from '#contracts';
import { Engine } from '#engine';
import { openModelRunner } from '#model-runner';
import { openModelFolder } from '#models';
import { GrammarConstraints } from '#models/grammar';
import { serveSide } from '../side.ts';

/** The whole engine, in-thread, with and without constraints on what it writes. */
interface Settings {
  modelFolder: string;
  slots: number;
  slotTokens: number;
}
interface Task {
  /** Rows that decode together; measured are the steps in which all of them do. */
  rows: number;
  steps: number;
  /** What the answers must be; null for free text. They must not be able to end within the steps. */
  constraint: OutputConstraint | null;
  /** What one more request, which joins in the middle, must be; undefined for none. */
  joining?: OutputConstraint | null;
}

const PAST_TOKENS = 64;

/** Milliseconds of the steps in which every row got a token. */
serveSide<Settings, Task, number[]>(async ({ modelFolder, slots, slotTokens }) => {
  const folder = await openModelFolder(modelFolder);
  const options = { modelFile: folder.modelFile, slots, slotTokens, threads: 0, maxChunkTokens: 128 } as const;
  const runner = await openModelRunner({ ...options, binding: 'c-api', prefillParts: 0 });
  const tokenTable = folder.tokenTable();
  const constraints = new GrammarConstraints(tokenTable, runner.shape.vocabularySize);
  const engine = new Engine({ runner, tokenTable, prefillChunkTokens: 128, constraints });
  let serial = 0;
  let deltasInStep = 0;
  let failure: string | null = null;
  engine.onStep(({ deltas, failed }) => {
    deltasInStep = deltas.length;
    failure = failed[0]?.message ?? failure;
  });
  const submit = (constraint: OutputConstraint | null, row: number, maxTokens: number): void => {
    engine.submit({
      requestId: `bench-${serial++}`,
      epoch: 1,
      promptTokenIds: Int32Array.from({ length: PAST_TOKENS }, (_, i) => (i * 37 + row * 101 + 300) % 4000),
      choices: 1,
      sampling: { ...GREEDY, temperature: 0.8, seed: row },
      stop: { tokenIds: [], strings: [], maxTokens },
      constraint,
      topLogprobs: null,
    });
  };
  return async ({ rows, steps, constraint, joining }) => {
    const stepMs: number[] = [];
    for (let row = 0; row < rows; row++) submit(constraint, row, steps + 2 * rows + 8);
    let hasJoined = joining === undefined;
    while (true) {
      deltasInStep = 0;
      const prefilledBefore = engine.stats().prefillRunsTotal;
      const begin = performance.now();
      if (!hasJoined && joining !== undefined && stepMs.length >= steps / 2) {
        hasJoined = true;
        submit(joining, rows, 8);
      }
      if (!(await engine.step())) break;
      const took = performance.now() - begin;
      const isWhole = deltasInStep >= rows && engine.stats().prefillRunsTotal === prefilledBefore;
      if (isWhole || (joining !== undefined && stepMs.length >= steps / 2)) stepMs.push(took);
    }
    if (failure !== null) throw new Error(failure);
    if (stepMs.length < steps) throw new Error(`all ${rows} rows decoded together for ${stepMs.length} steps only`);
    return stepMs.slice(0, steps);
  };
});
