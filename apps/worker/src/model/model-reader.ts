import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CpuChoices, ExecutionProvider } from '#contracts';
import type { ModelOptions } from '../worker-options.ts';
import type { ServedModel } from './served-model.ts';

/** What the thread that reads a folder is started with. */
export interface ReadingThreadData {
  readonly options: ModelOptions;
  readonly modelRoots: readonly string[];
  readonly providers: readonly ExecutionProvider[];
  readonly cpu: Partial<CpuChoices>;
}

/** Reads model folders, each in a thread of its own, so that nothing of what reading takes is left in the process. */
export class ModelReader {
  readonly #modelRoots: readonly string[];
  readonly #providers: readonly ExecutionProvider[];
  readonly #cpu: ReadingThreadData['cpu'];
  readonly #begun = new Map<ModelOptions, Promise<ServedModel>>();

  /**
   * @param providers on which the models may run, in the order in which they are tried
   * @param cpu how they are to be computed on the CPU, which decides what they take in memory
   */
  constructor(
    modelRoots: readonly string[],
    providers: readonly ExecutionProvider[],
    cpu: ReadingThreadData['cpu'] = {},
  ) {
    this.#modelRoots = modelRoots;
    this.#providers = providers;
    this.#cpu = cpu;
  }

  /** Begins what `read` will be asked for; so a folder can be read while the process still loads its code. */
  begin(options: ModelOptions): void {
    const reading = this.#inThread(options);
    // Whoever asks for it is told.
    reading.catch(() => {});
    this.#begun.set(options, reading);
  }

  /**
   * Settles when the thread has ended.
   * @throws what `readModel` does, as plain Errors with the same names and messages
   */
  read(options: ModelOptions): Promise<ServedModel> {
    const begun = this.#begun.get(options);
    this.#begun.delete(options);
    return begun ?? this.#inThread(options);
  }

  #inThread(options: ModelOptions): Promise<ServedModel> {
    const entry = new URL(`./reading-thread${extname(import.meta.url)}`, import.meta.url);
    const [modelRoots, providers, cpu] = [this.#modelRoots, this.#providers, this.#cpu];
    const workerData: ReadingThreadData = { options, modelRoots, providers, cpu };
    const thread = new Worker(entry, { workerData });
    return new Promise((resolve, reject) => {
      let served: ServedModel | null = null;
      thread.once('message', (message: ServedModel) => {
        served = message;
      });
      thread.once('error', reject);
      thread.once('exit', () => {
        if (served !== null) resolve(served);
        else reject(new Error(`${options.folder} could not be read: its thread ended`));
      });
    });
  }
}
