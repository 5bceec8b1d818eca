import { parentPort, workerData } from 'node:worker_threads';
import { openModelRunner, RunInterruptedError } from '#model-runner';
import { bestToken } from './runner-driver.ts';

/**
 * Opens a model in this thread, posts its `interruptAddress`, then prefills the longest prompt over and over until it is
 * interrupted; posts how it ended and what the runner does afterwards.
 */
const { modelFile, prefillUntilInterrupted } = workerData as { modelFile: string; prefillUntilInterrupted: boolean };
const runner = await openModelRunner({
  modelFile,
  slots: 2,
  slotTokens: 512,
  threads: 1,
  binding: 'c-api',
  maxChunkTokens: 512,
});
const prompt = Int32Array.from({ length: 511 }, (_, i) => i % runner.shape.vocabularySize);
await runner.prefill(0, prompt, 0);
const expected = bestToken(runner.logits.subarray(0, runner.shape.vocabularySize));
parentPort?.postMessage({ interruptAddress: runner.interruptAddress });
let outcome = 'not interrupted';
const giveUpAt = Date.now() + 10_000;
while (prefillUntilInterrupted && outcome === 'not interrupted' && Date.now() < giveUpAt) {
  try {
    await runner.prefill(0, prompt, 0);
  } catch (error) {
    outcome = error instanceof RunInterruptedError ? error.code : String(error);
  }
}
await runner.prefill(0, prompt, 0);
const works = bestToken(runner.logits.subarray(0, runner.shape.vocabularySize)) === expected;
await runner.close();
parentPort?.postMessage({ outcome, works });
