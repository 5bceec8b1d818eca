import koffi from 'koffi';
import { ortLibraryPath } from './library-path.ts';
import { OrtLibraryError } from './ort-library-error.ts';
import { OrtStatusError } from './ort-status-error.ts';

/** The address of a native object. */
export type Handle = bigint;

/** The version of the table below; every ONNX Runtime from 1.24 on offers it. */
const API_VERSION = 24;

/** `ORTCHAR_T`, which is UTF-16 on Windows. */
const PATH = process.platform === 'win32' ? 'const char16_t *path' : 'const char *path';

/**
 * The calls used, by their position in `OrtApi` (onnxruntime_c_api.h), a table to which ONNX Runtime only ever appends.
 * Typed arrays stand for `void *`: koffi passes their own memory, never a copy.
 */
const CALLS = {
  createEnv: [3, 'int level, const char *id, void *env'],
  createSession: [7, `void *env, ${PATH}, void *options, void *session`],
  createSessionFromArray: [8, 'void *env, void *model, size_t bytes, void *options, void *session'],
  run: [
    9,
    'void *session, void *options, void *inNames, void *in, size_t inCount, void *outNames, size_t n, void *out',
  ],
  createSessionOptions: [10, 'void *options'],
  enableProfiling: [14, `void *options, ${PATH}`],
  setSessionLogSeverityLevel: [22, 'void *options, int level'],
  setGraphOptimizationLevel: [23, 'void *options, int level'],
  setIntraOpNumThreads: [24, 'void *options, int count'],
  createRunOptions: [39, 'void *options'],
  setRunLogSeverityLevel: [41, 'void *options, int level'],
  setTerminate: [46, 'void *options'],
  unsetTerminate: [47, 'void *options'],
  createTensorWithData: [49, 'void *info, void *data, size_t bytes, void *dims, size_t rank, int type, void *value'],
  createTensorWithAddress: [
    49,
    'void *info, uintptr_t address, size_t bytes, void *dims, size_t rank, int type, void *value',
  ],
  createMemoryInfo: [68, 'const char *name, int allocator, int device, int kind, void *info'],
  createCpuMemoryInfo: [69, 'int allocator, int kind, void *info'],
  allocatorAlloc: [75, 'void *allocator, size_t bytes, void *address'],
  allocatorFree: [76, 'void *allocator, uintptr_t address'],
  addSessionConfigEntry: [130, 'void *options, const char *key, const char *value'],
  createAllocator: [131, 'void *session, void *info, void *allocator'],
  createAndRegisterAllocator: [144, 'void *env, void *info, void *arena'],
  unregisterAllocator: [177, 'void *env, void *info'],
  addRunConfigEntry: [165, 'void *options, const char *key, const char *value'],
  appendCudaProvider: [204, 'void *options, void *cudaOptions'],
  createCudaProviderOptions: [205, 'void *cudaOptions'],
  updateCudaProviderOptions: [206, 'void *cudaOptions, void *keys, void *values, size_t count'],
  appendProvider: [216, 'void *options, const char *name, void *keys, void *values, size_t count'],
} as const;

const RELEASES = {
  releaseEnv: 92,
  releaseStatus: 93,
  releaseMemoryInfo: 94,
  releaseSession: 95,
  releaseValue: 96,
  releaseSessionOptions: 100,
  releaseAllocator: 132,
  releaseCudaProviderOptions: 208,
} as const;

const GET_ERROR_MESSAGE = 2;

type NativeArgument = ArrayBufferView | Handle | number | string | null;

/** The calls throw OrtStatusError; the releases cannot fail. */
export type OrtApi = { readonly [name in keyof typeof CALLS]: (...values: NativeArgument[]) => void } & {
  readonly [name in keyof typeof RELEASES]: (handle: Handle) => void;
} & {
  readonly version: string;
  /** The table itself (`OrtApi`), for native code that calls ONNX Runtime. */
  readonly table: Handle;
  /** Frees the status that native code of `name` returned. @throws OrtStatusError unless it is null */
  readonly check: (name: string, status: Handle | null) => void;
};

/** Runs a call whose last argument receives a handle, and returns that. */
export function created(call: (out: BigUint64Array) => void): Handle {
  const out = new BigUint64Array(1);
  call(out);
  return out[0] ?? 0n;
}

let loaded: { readonly api: OrtApi; readonly library: unknown } | undefined;

/**
 * ONNX Runtime's C API, loaded once per thread. The library object stays referenced: koffi unloads a library whose object
 * is collected, and every function pointer with it.
 * @throws OrtLibraryError when the library is missing, cannot be loaded, or has a version whose table is not known
 */
export function ortApi(): OrtApi {
  loaded ??= load();
  return loaded.api;
}

function load(): { api: OrtApi; library: unknown } {
  const path = ortLibraryPath();
  let library: ReturnType<typeof koffi.load>;
  let base: Handle;
  try {
    library = koffi.load(path);
    base = library.func('void *OrtGetApiBase()')();
  } catch (cause) {
    throw new OrtLibraryError(`${path} cannot be loaded: ${(cause as Error).message}`, { cause });
  }
  const pointerAt = (address: Handle, index: number): Handle => koffi.decode(address, index * 8, 'void *');
  const version: string = koffi.decode(pointerAt(base, 1), koffi.proto('const char *GetVersionString()'))();
  assertKnownVersion(version, path);
  const getApi = koffi.decode(pointerAt(base, 0), koffi.proto('void *GetApi(uint32_t version)'));
  const table: Handle | null = getApi(API_VERSION);
  if (table === null) throw new OrtLibraryError(`${path} (${version}) refuses API version ${API_VERSION}.`);

  const bind = (index: number, name: string, result: string, parameters: string) =>
    koffi.decode(pointerAt(table, index), koffi.proto(`${result} ${name}(${parameters})`));
  const errorMessage: (status: Handle) => string = bind(GET_ERROR_MESSAGE, 'message', 'const char *', 'void *status');
  const check = (name: string, status: Handle | null): void => {
    if (status === null) return;
    const message = errorMessage(status);
    (api.releaseStatus as (status: Handle) => void)(status);
    throw new OrtStatusError(name, message);
  };
  const api: Record<string, unknown> = { version, table, check };
  for (const [name, index] of Object.entries(RELEASES)) api[name] = bind(index, name, 'void', 'void *handle');
  for (const [name, [index, parameters]] of Object.entries(CALLS)) {
    const native: (...values: NativeArgument[]) => Handle | null = bind(index, name, 'void *', parameters);
    api[name] = (...values: NativeArgument[]): void => check(name, native(...values));
  }
  return { api: api as OrtApi, library };
}

/** @throws OrtLibraryError when the indices above are not promised for this version */
export function assertKnownVersion(version: string, path: string): void {
  const [major, minor] = version.split('.').map(Number);
  if (major === 1 && minor !== undefined && minor >= API_VERSION) return;
  throw new OrtLibraryError(
    `${path} is ONNX Runtime ${version}, but the table of C calls is known for 1.${API_VERSION} and later 1.x only. ` +
      'Install the onnxruntime-node version that package-lock.json names, or choose the binding js-api.',
  );
}
