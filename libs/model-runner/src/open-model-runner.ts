import type { ModelRunner } from '#contracts';
import { largeAllocationsApart } from './large-allocations-apart.ts';
import { assertRunnerOptions, type OpenModelRunnerOptions } from './open-model-runner-options.ts';
import { RunnerOpening } from './runner-opening.ts';
import { inspectModel } from './signature/inspect-model.ts';

/**
 * Opens a decoder with its cache. GroupQueryAttention models get the in-place cache when a self-test proves it right;
 * others, the copying one.
 * @throws ModelLoadError when the model cannot run here; OrtLibraryError or ProviderUnavailableError when what was asked
 * for cannot; RunnerArgumentError
 */
export async function openModelRunner(options: OpenModelRunnerOptions): Promise<ModelRunner> {
  assertRunnerOptions(options);
  largeAllocationsApart();
  const opening = new RunnerOpening(options, await inspectModel(options.modelFile, options));
  return (await opening.captured()) ?? (await opening.onDevice()) ?? opening.onCpu();
}
