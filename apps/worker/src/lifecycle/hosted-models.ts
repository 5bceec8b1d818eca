import { modelEntry } from '#config';
import { type CommandAnswer, type HostedModelRecord, MillraceError, type WorkerCommand } from '#contracts';
import { returnFreeMemory } from '#model-runner/process';
import type { Logger } from '#observability';
import type { HostedModel } from '../model/hosted-model.ts';
import { type MemoryLimit, requireFit } from '../model/memory-limit.ts';
import type { MemoryNeed } from '../model/memory-need.ts';
import type { ModelReader } from '../model/model-reader.ts';
import type { ServedModel } from '../model/served-model.ts';
import type { ModelOptions, WorkerOptions } from '../worker-options.ts';

export interface HostedModelsParts {
  readonly options: WorkerOptions;
  readonly limit: MemoryLimit;
  readonly logger: Logger;
  readonly reader: ModelReader;
  readonly host: (served: ServedModel, options: ModelOptions) => HostedModel;
  /** Makes a model's card known, which has to be before others hear of the model. */
  readonly publishCard: (served: ServedModel) => Promise<void>;
  /** Another model is there, or one is gone. */
  readonly onChange: () => Promise<void>;
}

/** The models of one worker: which there are, whether another one fits, and what operators ask for while it runs. */
export class HostedModels implements Iterable<HostedModel> {
  readonly #parts: HostedModelsParts;
  readonly #models = new Map<string, HostedModel>();
  /** Asked for at the start and not unloaded since: the worker is ready when they are. */
  readonly #required = new Set<HostedModel>();
  #leaving = false;

  constructor(parts: HostedModelsParts) {
    this.#parts = parts;
  }

  [Symbol.iterator](): Iterator<HostedModel> {
    return this.#models.values();
  }

  get required(): Iterable<HostedModel> {
    return this.#required;
  }

  /** As operators see them. */
  records(): HostedModelRecord[] {
    return [...this.#models.values()].map((model) => model.hosted());
  }

  /** A model that the worker can not be ready without. Its weights are not loaded yet. @throws as `#open` */
  async require(options: ModelOptions): Promise<HostedModel> {
    const model = await this.#open(options);
    this.#required.add(model);
    return model;
  }

  /** From now on nothing is loaded or unloaded. */
  leave(): void {
    this.#leaving = true;
  }

  /**
   * Begins with what an operator asks for.
   * @throws MillraceError invalid_request, insufficient_memory, not_found, or unavailable where it is to be asked again
   */
  async handle(command: WorkerCommand): Promise<CommandAnswer> {
    this.#requireStaying();
    const { logger, publishCard } = this.#parts;
    if (command.action === 'unload') return await this.#unload(command.model, command.graceMs);
    const options = this.#optionsOf(command.entry);
    const known = this.#loadedAs(options);
    if (known !== null) return { outcome: 'begun', model: known.name };
    const model = await this.#open(options);
    try {
      await publishCard(model.served);
    } catch (error) {
      this.#models.delete(model.name);
      throw error;
    }
    logger.info({ model: model.name, folder: options.folder }, 'a model is loaded while the worker runs');
    model.start().catch((error: unknown) => {
      logger.error({ err: error, model: model.name }, 'the model could not be loaded; the others go on');
      void this.#parts.onChange();
    });
    // Who asked looks for it from now on.
    await this.#parts.onChange();
    return { outcome: 'begun', model: model.name };
  }

  /** Settles when others know that it takes no more jobs. */
  async #unload(name: string, graceMs: number | null): Promise<CommandAnswer> {
    const model = this.#models.get(name);
    if (model === undefined) {
      const names = [...this.#models.keys()].map((other) => `"${other}"`).join(', ');
      throw new MillraceError('not_found', `The worker has no model "${name}"; it has ${names || 'none'}.`);
    }
    this.#parts.logger.info({ model: name }, 'a model is unloaded while the worker runs');
    this.#required.delete(model);
    await model.retire();
    void this.#letGo(model, graceMs ?? this.#parts.options.graceMs);
    return { outcome: 'begun', model: name };
  }

  async #letGo(model: HostedModel, graceMs: number): Promise<void> {
    await model.drain(graceMs);
    await model.loaded;
    await model.close();
    // One whose thread can not be ended still holds its memory.
    if (!model.stuck && this.#models.get(model.name) === model) this.#models.delete(model.name);
    returnFreeMemory();
    await this.#parts.onChange();
  }

  /** @throws MillraceError, or what is wrong with the folder as invalid_request */
  async #open(options: ModelOptions): Promise<HostedModel> {
    const served = await this.#parts.reader.read(options).catch((error: unknown) => {
      if (error instanceof MillraceError) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new MillraceError('invalid_request', message, { cause: error });
    });
    this.#requireStaying();
    const name = served.card.model;
    this.#requireFreeName(name, options);
    requireFit(name, served.need, this.#needs(), this.#parts.limit);
    const model = this.#parts.host(served, options);
    this.#models.set(model.name, model);
    return model;
  }

  #needs(): MemoryNeed[] {
    return [...this.#models.values()].filter((model) => !isGone(model)).map(({ need }) => need);
  }

  #loadedAs({ folder, modelId }: ModelOptions): HostedModel | null {
    for (const model of this.#models.values()) {
      const { options, state } = model;
      if (options.folder === folder && options.modelId === modelId && (state === 'loading' || state === 'ready')) {
        return model;
      }
    }
    return null;
  }

  #requireFreeName(name: string, { folder }: ModelOptions): void {
    const other = this.#models.get(name);
    if (other === undefined || isGone(other)) return;
    if (other.state === 'draining') {
      throw new MillraceError('unavailable', `The model "${name}" is being unloaded. Try again when it is gone.`);
    }
    const from = `from ${other.options.folder}`;
    throw new MillraceError(
      'invalid_request',
      `There is a model "${name}" already, ${from}. Unload it first, or give ${folder} another name (name=folder).`,
    );
  }

  #optionsOf(entry: string): ModelOptions {
    const parsed = modelEntry.safeParse(entry);
    if (parsed.success) return this.#parts.options.modelOptionsOf(parsed.data);
    throw new MillraceError('invalid_request', parsed.error.issues.map(({ message }) => message).join('; '));
  }

  #requireStaying(): void {
    if (this.#leaving) throw new MillraceError('unavailable', 'The worker is draining. Ask another one.');
  }
}

/** It could not be loaded; one that failed and can not be ended still holds its memory. */
function isGone(model: HostedModel): boolean {
  return model.state === 'stopped' && !model.stuck;
}
