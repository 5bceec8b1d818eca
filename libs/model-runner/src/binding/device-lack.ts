import type { ExecutionProvider } from '#contracts';
import { ProviderUnavailableError } from '../provider-unavailable-error.ts';

/**
 * A device that was found may lack what this model needs, which only a run of it tells.
 * @returns null where `failed`, what a run failed with, is another matter
 */
export function deviceLack(provider: ExecutionProvider, failed: Error): ProviderUnavailableError | null {
  if (provider !== 'webgpu' || !/requires f16 but the device does not support it/.test(failed.message)) return null;
  return new ProviderUnavailableError(
    provider,
    'the model is in float16, which this device or its driver does not know (shader-f16). Take an export in float32 (4-bit weights too), or name another ' +
      'provider behind webgpu.',
    { cause: failed },
  );
}
