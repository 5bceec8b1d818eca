import { availableParallelism } from 'node:os';
import type { ModelRunner } from '#contracts';
import { CApiSession } from './binding/c-api-session.ts';
import { JsApiSession } from './binding/js-api-session.ts';
import type { SessionBinding, SessionOptions } from './binding/session-binding.ts';
import { ModelLoadError } from './model-load-error.ts';
import { OrtLibraryError } from './ort/ort-library-error.ts';
import { RunnerArgumentError } from './runner-argument-error.ts';
import { CopyingRunner } from './runners/copying-runner.ts';
import { InPlaceRunner } from './runners/in-place-runner.ts';
import { sharingProblem } from './runners/sharing-self-test.ts';
import { inspectModel } from './signature/inspect-model.ts';
import type { ModelSignature } from './signature/model-signature.ts';

export interface OpenModelRunnerOptions {
  modelFile: string;
  /** Sequences that can be in the cache at once. */
  slots: number;
  /** Further slots to keep sequences in that sit in none; 0 by default. Their memory, too, is taken as it is used. */
  parkingSlots?: number;
  /** Tokens that each slot can hold; memory is taken as they are used. */
  slotTokens: number;
  /** Threads of a forward pass, the caller's among them; 0 takes one per core. */
  threads: number;
  /** `auto`: the C API, or the JS API where the library cannot be used. */
  binding: 'auto' | 'c-api' | 'js-api';
  /** Longest prompt chunk that is usual; longer ones work, and cost one allocation. */
  maxChunkTokens: number;
  /** Told why, when `auto` falls back to the JS API or a model to the copying cache. */
  onFallback?: (reason: string) => void;
}

/**
 * Opens a decoder with its cache. GroupQueryAttention models get the in-place cache when a self-test proves it right;
 * others, the copying one.
 * @throws ModelLoadError when the model cannot run here; OrtLibraryError when the binding asked for cannot
 */
export async function openModelRunner(options: OpenModelRunnerOptions): Promise<ModelRunner> {
  for (const name of ['slots', 'slotTokens'] as const)
    if (!Number.isInteger(options[name]) || options[name] < 1)
      throw new RunnerArgumentError(`${name} is ${options[name]}; it must be 1 or more.`);
  const { parkingSlots = 0 } = options;
  if (!Number.isInteger(parkingSlots) || parkingSlots < 0)
    throw new RunnerArgumentError(`parkingSlots is ${parkingSlots}; it must be 0 or more.`);
  const signature = await inspectModel(options.modelFile);
  if (signature.maxPositions !== null && options.slotTokens > signature.maxPositions)
    throw new ModelLoadError(
      options.modelFile,
      `slots of ${options.slotTokens} tokens are asked for, but it knows ${signature.maxPositions} positions; ask for fewer.`,
    );
  const binding = await openSession(options, signature);
  try {
    return await runnerFor(binding, signature, options);
  } catch (error) {
    await binding.close();
    throw error;
  }
}

async function openSession(options: OpenModelRunnerOptions, signature: ModelSignature): Promise<SessionBinding> {
  const session: SessionOptions = {
    modelFile: options.modelFile,
    inputNames: [
      'input_ids',
      ...signature.sideInputs.map((input) => input.kind),
      ...signature.cache.map((pair) => pair.past),
    ],
    outputNames: ['logits', ...signature.cache.map((pair) => pair.present)],
    threads: options.threads === 0 ? availableParallelism() : options.threads,
  };
  if (options.binding === 'js-api') return JsApiSession.open(session);
  try {
    return new CApiSession(session);
  } catch (error) {
    if (options.binding === 'c-api' || !(error instanceof OrtLibraryError)) throw error;
    options.onFallback?.(`the JS API is used: ${error.message}`);
    return JsApiSession.open(session);
  }
}

async function runnerFor(
  binding: SessionBinding,
  signature: ModelSignature,
  options: OpenModelRunnerOptions,
): Promise<ModelRunner> {
  const { modelFile } = options;
  if (!signature.sharesCache) return new CopyingRunner(binding, signature, options);
  const problem = await sharingProblem(binding, signature).catch((cause: Error) => {
    throw new ModelLoadError(modelFile, `its first forward pass failed: ${cause.message}`, { cause });
  });
  if (problem === null) return new InPlaceRunner(binding, signature, options);
  options.onFallback?.(`the copying cache is used, past and present cannot share memory: ${problem}`);
  return new CopyingRunner(binding, signature, options);
}
