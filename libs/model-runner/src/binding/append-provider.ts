import type { ExecutionProvider } from '#contracts';
import { created, type Handle, type OrtApi } from '../ort/ort-api.ts';
import { ProviderUnavailableError } from '../provider-unavailable-error.ts';
import { NativeStrings } from './native-strings.ts';
import { providerRemedy } from './provider-remedy.ts';

/**
 * Keys of CUDA's provider options (cuda_provider_options.h). The arena grows by what is asked for: the cache is one large
 * allocation at the start, and a doubling arena would take twice its bytes. Products in float32 are not rounded to TF32's 10 bits, which is
 * ONNX Runtime's default: who wants float16's exactness takes a model in float16.
 */
const CUDA_OPTIONS: Readonly<Record<string, string>> = {
  device_id: '0',
  arena_extend_strategy: 'kSameAsRequested',
  use_tf32: '0',
};
const CAPTURE_OPTION = { enable_cuda_graph: '1' } as const;

/**
 * Puts a provider before the CPU's in a session's options. A worker sees one device (`CUDA_VISIBLE_DEVICES`), so the
 * device is always the first.
 * @throws ProviderUnavailableError with the remedy
 */
export function appendProvider(
  api: OrtApi,
  sessionOptions: Handle,
  provider: ExecutionProvider,
  capturesGraphs: boolean,
): void {
  if (capturesGraphs && provider !== 'cuda')
    throw new ProviderUnavailableError(provider, 'it captures no graphs; cuda does.');
  try {
    if (provider === 'cuda')
      appendCuda(api, sessionOptions, capturesGraphs ? { ...CUDA_OPTIONS, ...CAPTURE_OPTION } : CUDA_OPTIONS);
    else if (provider === 'webgpu') api.appendProvider(sessionOptions, 'WebGPU', null, null, 0);
  } catch (cause) {
    const message = (cause as Error).message;
    throw new ProviderUnavailableError(provider, providerRemedy(provider, message), { cause });
  }
}

function appendCuda(api: OrtApi, sessionOptions: Handle, options: Readonly<Record<string, string>>): void {
  const cudaOptions = created((out) => api.createCudaProviderOptions(out));
  try {
    const keys = new NativeStrings(Object.keys(options));
    const values = new NativeStrings(Object.values(options));
    api.updateCudaProviderOptions(cudaOptions, keys.pointers, values.pointers, keys.count);
    api.appendCudaProvider(sessionOptions, cudaOptions);
  } finally {
    api.releaseCudaProviderOptions(cudaOptions);
  }
}
