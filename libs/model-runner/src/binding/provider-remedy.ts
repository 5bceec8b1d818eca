import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import koffi from 'koffi';
import type { ExecutionProvider } from '#contracts';
import { ortLibraryPath } from '../ort/library-path.ts';

/** The number at a library's end is CUDA's version, but for libcurand (10 in CUDA 12 and 13) and libcufft (11 and 12). */
const CUDA_VERSION = /lib(?:cublas|cublasLt|cudart|nvrtc|nvJitLink)\.so\.(\d+)/;

const CUDA_LIBRARIES = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'];

/** By what the loader or the CUDA runtime says; the first that fits counts. */
const CUDA_REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /libcudnn/,
    'install cuDNN 9 for this version of CUDA (Debian and Ubuntu: libcudnn9-cuda-12), or run the worker-gpu image.',
  ],
  [/libcuda\.so/, "install NVIDIA's driver on the host, and start the container with --gpus or nvidia.com/gpu."],
  [
    /lib(cublas|cublasLt|cudart|cufft|curand|nvrtc|nvJitLink)/,
    'install the runtime libraries of this version of CUDA and name their folder in LD_LIBRARY_PATH, or run the worker-gpu image.',
  ],
  [/insufficient|driver version/i, "NVIDIA's driver is too old; CUDA 12 needs 525 or newer, CUDA 13 580."],
  [
    /no CUDA-capable device|no CUDA device|invalid device ordinal/i,
    'no GPU is visible; check nvidia-smi, CUDA_VISIBLE_DEVICES, and --gpus or nvidia.com/gpu of the container.',
  ],
  [/out of memory/i, 'the GPU has too little free memory; check nvidia-smi for other processes.'],
];

export interface LibraryProbe {
  /** Where libonnxruntime lies, and the providers' libraries beside it. */
  readonly folder: string;
  readonly exists: (path: string) => boolean;
  /** @throws what the dynamic loader says */
  readonly load: (path: string) => void;
}

/** Why a provider does not work here and what to do about it; ONNX Runtime itself only says that it could not be loaded. */
export function providerRemedy(provider: ExecutionProvider, message: string, probe = thisMachine()): string {
  if (provider === 'webgpu') return webgpuRemedy(message);
  if (provider === 'cuda') return cudaRemedy(message, probe);
  return message;
}

function cudaRemedy(message: string, probe: LibraryProbe): string {
  const missing = CUDA_LIBRARIES.filter((name) => !probe.exists(join(probe.folder, name)));
  if (missing.length > 0)
    return (
      `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing beside libonnxruntime. Run ` +
      '"node node_modules/onnxruntime-node/script/install.js" where NuGet can be reached (Linux x64 only), or copy both from the onnxruntime-gpu of the same ' +
      'version for Python, or run the worker-gpu image.'
    );
  const said = [loaderError(probe), message].filter((text) => text !== null).join('; ');
  const version = CUDA_VERSION.exec(said)?.[1];
  const remedy = CUDA_REMEDIES.find(([pattern]) => pattern.test(said))?.[1].replace(
    'this version of CUDA',
    version === undefined ? 'its version of CUDA' : `CUDA ${version}`,
  );
  return remedy === undefined ? said : `${firstLine(said)}: ${remedy}`;
}

function webgpuRemedy(message: string): string {
  if (/adapter/i.test(message))
    return (
      'there is no adapter. Install a driver for Vulkan 1.3 with its loader (libvulkan1 and the GPU vendor’s driver on ' +
      `Linux); macOS and Windows have one. ONNX Runtime says: ${reasonOf(message)}`
    );
  return message;
}

function loaderError(probe: LibraryProbe): string | null {
  for (const name of CUDA_LIBRARIES) {
    try {
      probe.load(join(probe.folder, name));
    } catch (error) {
      const text = (error as Error).message;
      // Both libraries expect to be loaded by libonnxruntime, and miss its symbols here: that is no fault.
      if (!/undefined symbol/.test(text)) return text;
    }
  }
  return null;
}

function thisMachine(): LibraryProbe {
  return { folder: dirname(ortLibraryPath()), exists: existsSync, load: (path) => void koffi.load(path) };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}

/** Without the source line that ONNX Runtime puts before it. */
function reasonOf(text: string): string {
  return (text.trim().split('\n').at(-1) ?? text).replace(/^.* was false\. /, '');
}
