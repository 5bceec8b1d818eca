import { LOG_FATAL_ONLY } from '../binding/session-config.ts';
import { created, type Handle, type OrtApi, ortApi } from './ort-api.ts';
import { OrtStatusError } from './ort-status-error.ts';

/** `OrtArenaAllocator` and `OrtMemTypeDefault`. */
const ARENA = 1;
const DEFAULT_MEMORY = 0;

/**
 * An arena for the activations of all sessions that are opened with `session.use_env_allocators` while this is there; it lives as
 * long as they do. The environment is the process's, and the latest arena is in force: of models that two threads open at the same
 * time, a session may get the other model's, or one of its own.
 */
export class SharedArena implements Disposable {
  readonly #api: OrtApi;
  readonly #env: Handle;
  readonly #memory: Handle;

  /** @throws OrtLibraryError, OrtStatusError */
  constructor() {
    const api = ortApi();
    this.#api = api;
    this.#env = created((out) => api.createEnv(LOG_FATAL_ONLY, 'millrace', out));
    this.#memory = created((out) => api.createCpuMemoryInfo(ARENA, DEFAULT_MEMORY, out));
    api.createAndRegisterAllocator(this.#env, this.#memory, null);
  }

  [Symbol.dispose](): void {
    try {
      this.#api.unregisterAllocator(this.#env, this.#memory);
    } catch (error) {
      // Another thread's was in force, and is gone already.
      if (!(error instanceof OrtStatusError)) throw error;
    }
    this.#api.releaseMemoryInfo(this.#memory);
    this.#api.releaseEnv(this.#env);
  }
}
