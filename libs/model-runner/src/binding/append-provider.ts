import type { ExecutionProvider } from '#contracts';
import { created, type Handle, type OrtApi } from '../ort/ort-api.ts';
import { ProviderUnavailableError } from '../provider-unavailable-error.ts';
import { NativeStrings } from './native-strings.ts';
import { providerRemedy } from './provider-remedy.ts';

/**
 * Keys of CUDA's provider options (cuda_provider_options.h). The arena grows by what is asked for: the cache is one large
 * allocation at the start, and a doubling arena would take twice its bytes.
 */
const CUDA_OPTIONS: Readonly<Record<string, string>> = {
  device_id: '0',
  arena_extend_strategy: 'kSameAsRequested',
};

/**
 * Puts a provider before the CPU's in a session's options. A worker sees one device (`CUDA_VISIBLE_DEVICES`), so the
 * device is always the first.
 * @throws ProviderUnavailableError with the remedy
 */
export function appendProvider(api: OrtApi, sessionOptions: Handle, provider: ExecutionProvider): void {
  try {
    if (provider === 'cuda') appendCuda(api, sessionOptions);
    else if (provider === 'webgpu') api.appendProvider(sessionOptions, 'WebGPU', null, null, 0);
  } catch (cause) {
    const message = (cause as Error).message;
    throw new ProviderUnavailableError(provider, providerRemedy(provider, message), { cause });
  }
}

function appendCuda(api: OrtApi, sessionOptions: Handle): void {
  const cudaOptions = created((out) => api.createCudaProviderOptions(out));
  try {
    const keys = new NativeStrings(Object.keys(CUDA_OPTIONS));
    const values = new NativeStrings(Object.values(CUDA_OPTIONS));
    api.updateCudaProviderOptions(cudaOptions, keys.pointers, values.pointers, keys.count);
    api.appendCudaProvider(sessionOptions, cudaOptions);
  } finally {
    api.releaseCudaProviderOptions(cudaOptions);
  }
}
