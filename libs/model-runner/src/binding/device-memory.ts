import type { ExecutionProvider } from '#contracts';
import { DeviceMemoryError } from '../device-memory-error.ts';
import { created, type Handle, type OrtApi } from '../ort/ort-api.ts';

/** `OrtAllocatorType` and `OrtMemType` (onnxruntime_c_api.h). */
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;
const FIRST_DEVICE = 0;

const MEMORY_NAMES = { cpu: 'Cpu', cuda: 'Cuda', webgpu: 'WebGPU_Buf' } as const;

/** The memory of a session's provider: what its allocator gives, freed together. */
export class DeviceMemory {
  /** For tensors over this memory. */
  readonly info: Handle;
  readonly #api: OrtApi;
  readonly #allocator: Handle;
  readonly #provider: ExecutionProvider;
  readonly #addresses = new Set<Handle>();

  constructor(api: OrtApi, session: Handle, provider: ExecutionProvider) {
    this.#api = api;
    this.#provider = provider;
    this.info = created((out) =>
      api.createMemoryInfo(MEMORY_NAMES[provider], DEVICE_ALLOCATOR, FIRST_DEVICE, DEFAULT_MEMORY, out),
    );
    this.#allocator = created((out) => api.createAllocator(session, this.info, out));
  }

  /** @throws DeviceMemoryError */
  allocate(bytes: number): Handle {
    let address: Handle;
    try {
      address = created((out) => this.#api.allocatorAlloc(this.#allocator, bytes, out));
    } catch (cause) {
      throw new DeviceMemoryError(bytes, this.#provider, { cause });
    }
    if (address === 0n) throw new DeviceMemoryError(bytes, this.#provider);
    this.#addresses.add(address);
    return address;
  }

  /** No run may use what was allocated there any more. Once only; nothing is left to do behind `free`. */
  freeAt(address: Handle): void {
    if (this.#addresses.delete(address)) this.#api.allocatorFree(this.#allocator, address);
  }

  /** No run may use the memory any more. */
  free(): void {
    for (const address of this.#addresses) this.#api.allocatorFree(this.#allocator, address);
    this.#addresses.clear();
    this.#api.releaseAllocator(this.#allocator);
    this.#api.releaseMemoryInfo(this.info);
  }
}
