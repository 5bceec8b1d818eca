import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from '../start-error.ts';

/** What `GET /admin/v1/workers` tells of a model. */
export interface LiveModel {
  readonly model: string;
  readonly folder: string;
  readonly state: string;
  readonly slots: number;
  readonly threads: number | null;
  readonly running: number;
  readonly waiting: number;
  readonly memoryBytes: number | null;
  readonly problem: string | null;
}

export interface LiveWorker {
  readonly workerId: string;
  readonly state: string;
  readonly memoryLimitBytes: number | null;
  readonly rssBytes: number | null;
  readonly models: readonly LiveModel[];
}

export type Call = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<unknown>;

const LOOK_MS = 500;
const segment = (text: string) => encodeURIComponent(text);

export interface LiveFlags {
  /** A worker's id, or `all`. */
  readonly worker?: string;
  readonly wait: boolean;
}

/** The models of running workers, through the admin API: who has which, and loading and unloading them. */
export class LiveModels {
  readonly #call: Call;
  readonly #say: (line: string) => void;

  constructor(call: Call, say: (line: string) => void) {
    this.#call = call;
    this.#say = say;
  }

  async workers(): Promise<readonly LiveWorker[]> {
    return ((await this.#call('GET', 'workers')) as { workers: LiveWorker[] }).workers;
  }

  /** @throws StartError when it is refused, or can not be loaded */
  async load(entry: string, flags: LiveFlags): Promise<void> {
    for (const { workerId } of this.#chosen(await this.workers(), flags, 'load')) {
      const { model } = (await this.#call('POST', `workers/${segment(workerId)}/models`, { model: entry })) as {
        model: string;
      };
      this.#say(`worker ${workerId} loads ${model}`);
      if (flags.wait) await this.#untilReady(workerId, model);
    }
  }

  /** @throws StartError when it is refused, or its memory does not come back */
  async unload(model: string, flags: LiveFlags & { readonly graceMs?: number }): Promise<void> {
    const having = (await this.workers()).filter(({ models }) => models.some((each) => each.model === model));
    if (having.length === 0) throw new StartError(`No worker has the model "${model}"; see \`millrace models ps\`.`);
    const query = flags.graceMs === undefined ? '' : `?graceMs=${flags.graceMs}`;
    for (const { workerId } of this.#chosen(having, flags, 'unload')) {
      await this.#call('DELETE', `workers/${segment(workerId)}/models/${segment(model)}${query}`);
      this.#say(`worker ${workerId} takes no more requests for ${model}; those that run may end`);
      if (flags.wait) await this.#untilGone(workerId, model);
    }
  }

  #chosen(workers: readonly LiveWorker[], { worker }: LiveFlags, verb: string): readonly LiveWorker[] {
    if (worker === 'all') return workers;
    if (worker !== undefined) {
      const found = workers.filter(({ workerId }) => workerId === worker);
      if (found.length > 0) return found;
    } else if (workers.length === 1) return workers;
    const ids = workers.map(({ workerId }) => workerId).join(', ') || 'none';
    throw new StartError(
      worker === undefined
        ? `Which worker is to ${verb} it? Name one with --worker, or all of them with --worker all. There are: ${ids}.`
        : `There is no worker "${worker}" that could ${verb} it. There are: ${ids}.`,
    );
  }

  async #untilReady(workerId: string, model: string): Promise<void> {
    for (;;) {
      const found = await this.#look(workerId, model);
      if (found?.state === 'ready') return this.#say(`${model} is ready on ${workerId}`);
      if (found === null) throw new StartError(`Worker ${workerId} has no "${model}" any more; see its log.`);
      if (found.state === 'failed') throw new StartError(`${workerId} could not load "${model}": ${found.problem}`);
      await sleep(LOOK_MS);
    }
  }

  async #untilGone(workerId: string, model: string): Promise<void> {
    for (;;) {
      const found = await this.#look(workerId, model);
      if (found === null) return this.#say(`${model} is gone from ${workerId}`);
      if (found.state === 'failed') throw new StartError(`${workerId} still holds "${model}": ${found.problem}`);
      await sleep(LOOK_MS);
    }
  }

  async #look(workerId: string, model: string): Promise<LiveModel | null> {
    const worker = (await this.workers()).find((each) => each.workerId === workerId);
    if (worker === undefined) throw new StartError(`Worker ${workerId} is gone; see its log.`);
    return worker.models.find((each) => each.model === model) ?? null;
  }
}

/** A table, one line a model. */
export function liveModelsText(workers: readonly LiveWorker[]): string {
  if (workers.length === 0) return 'No worker is alive.';
  const rows = workers.flatMap(({ workerId, state, models }) =>
    models.length === 0
      ? [[workerId, '–', state, '', '', '', '', '']]
      : models.map((each) => [
          workerId,
          each.model,
          state === 'draining' ? state : each.state,
          `${each.running}/${each.slots}`,
          String(each.waiting),
          each.threads === null ? '?' : String(each.threads),
          each.memoryBytes === null ? '?' : `≤ ${mib(each.memoryBytes)}`,
          each.problem ?? '',
        ]),
  );
  const table = [['WORKER', 'MODEL', 'STATE', 'RUNNING', 'WAITING', 'THREADS', 'MEMORY', ''], ...rows];
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const memory = workers.map(({ workerId, rssBytes, memoryLimitBytes }) => {
    const used = rssBytes === null ? 'not told' : mib(rssBytes);
    return `${workerId}: ${used} in use${memoryLimitBytes === null ? '' : ` of ${mib(memoryLimitBytes)}`}`;
  });
  return [...lines, '', ...memory].join('\n');
}

function mib(bytes: number): string {
  return `${Math.round(bytes / (1024 * 1024))} MiB`;
}
