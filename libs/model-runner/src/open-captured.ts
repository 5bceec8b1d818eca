import type { ModelRunner } from '#contracts';
import type { SessionBinding } from './binding/session-binding.ts';
import { DeviceMemoryError } from './device-memory-error.ts';
import { ModelLoadError } from './model-load-error.ts';
import { OrtLibraryError } from './ort/ort-library-error.ts';
import { ProviderUnavailableError } from './provider-unavailable-error.ts';
import { RunFailedError } from './run-failed-error.ts';
import { capturedProblem } from './runners/captured-self-test.ts';
import { InPlaceRunner } from './runners/in-place-runner.ts';
import { capturable } from './signature/capturable.ts';
import type { ModelSignature } from './signature/model-signature.ts';

/** What opens a session of a model, and a runner over it whose decode runs are made to be captured. */
export interface CapturedOpening {
  readonly session: (signature: ModelSignature) => SessionBinding | Promise<SessionBinding>;
  readonly runner: (binding: SessionBinding, signature: ModelSignature) => Promise<ModelRunner>;
}

/** What says that this model or device is not for captured runs; anything else is a fault of ours, or an interruption. */
const REFUSALS = [ModelLoadError, RunFailedError, DeviceMemoryError, OrtLibraryError];

/**
 * Opens a model whose decode runs are captured, all of them at once, and replayed ever after, and compares these with plain runs. Nothing that ONNX
 * Runtime captured wrongly or half can be taken back, so whatever is wrong closes the session.
 * @returns the runner; or why its runs have to be plain ones, in a session of their own
 */
export async function openCaptured(
  signature: ModelSignature,
  slotTokens: number,
  open: CapturedOpening,
): Promise<ModelRunner | string> {
  const form = capturable(signature, slotTokens);
  if (typeof form === 'string') return form;
  let binding: SessionBinding | null = null;
  try {
    binding = await open.session(form);
    const runner = await open.runner(binding, form);
    const problem = await capturedProven(runner, form);
    if (problem === null) return runner;
    await binding.close();
    return problem;
  } catch (error) {
    await binding?.close();
    if (error instanceof ProviderUnavailableError) return `${error.provider} does not work here`;
    if (REFUSALS.some((refusal) => error instanceof refusal)) return (error as Error).message;
    throw error;
  }
}

/** @returns why decode runs are to stay plain, or null: then they are captured ones from now on */
async function capturedProven(runner: ModelRunner, { cacheType }: ModelSignature): Promise<string | null> {
  if (!(runner instanceof InPlaceRunner)) return 'its cache is copied in every step';
  if (runner.decodeWays.captured === null) return 'its logits come to the host whole';
  const problem = await capturedProblem(runner, cacheType);
  if (problem === null) runner.decodeWays.useCaptured();
  return problem;
}
