import { randomUUID } from 'node:crypto';
import { MillraceError, type WorkerCommand, type WorkerRecord } from '#contracts';
import type { TenantContext } from '../auth/tenant-context.ts';
import { type BegunView, LoadBody, UnloadQuery, type WorkerView } from './admin-bodies.ts';
import { parseInput } from './parse-input.ts';
import { requireOperator } from './permissions.ts';

export interface WorkersAdminParts {
  /** Of those that live now. */
  readonly workers: () => Promise<readonly WorkerRecord[]>;
  /** @returns the model that it is about */
  readonly ask: (workerId: string, command: WorkerCommand) => Promise<string>;
}

/** The workers and their models at the admin API: who has what, and loading and unloading while they run. */
export class WorkersAdmin {
  readonly #parts: WorkersAdminParts;

  constructor(parts: WorkersAdminParts) {
    this.#parts = parts;
  }

  /** @throws MillraceError permission_denied, unavailable */
  async list(caller: TenantContext): Promise<{ workers: WorkerView[] }> {
    requireOperator(caller);
    const workers = (await this.#parts.workers()).map(viewOf);
    return { workers: workers.sort((a, b) => (a.workerId < b.workerId ? -1 : 1)) };
  }

  /**
   * Settles when the worker has begun to load the model; `list` shows when it is ready, or why it failed.
   * @throws MillraceError permission_denied, invalid_request, not_found, insufficient_memory, unavailable
   */
  async load(caller: TenantContext, workerId: string, body: unknown): Promise<BegunView> {
    requireOperator(caller);
    const { model: entry } = parseInput(LoadBody, body);
    await this.#requireAble(workerId);
    const model = await this.#parts.ask(workerId, { action: 'load', commandId: randomUUID(), entry });
    return { workerId, model };
  }

  /** Settles when the worker takes no more of its requests; `list` does not show it any more when it is gone. @throws as `load` */
  async unload(caller: TenantContext, workerId: string, model: string, query: unknown): Promise<BegunView> {
    requireOperator(caller);
    const { graceMs = null } = parseInput(UnloadQuery, query);
    await this.#requireAble(workerId);
    await this.#parts.ask(workerId, { action: 'unload', commandId: randomUUID(), model, graceMs });
    return { workerId, model };
  }

  async #requireAble(workerId: string): Promise<void> {
    const workers = await this.#parts.workers();
    const worker = workers.find((each) => each.workerId === workerId);
    if (worker === undefined) {
      const ids = workers.map((each) => `"${each.workerId}"`).join(', ');
      throw new MillraceError('not_found', `There is no worker "${workerId}" now; there are ${ids || 'none'}.`);
    }
    if (worker.holding === undefined) {
      const message = `Worker "${workerId}" is of a release that neither loads nor unloads models while it runs. Upgrade it.`;
      throw new MillraceError('unavailable', message);
    }
  }
}

function viewOf({ workerId, state, startedAtMs, models, holding }: WorkerRecord): WorkerView {
  const { memoryLimitBytes = null, rssBytes = null } = holding ?? {};
  // What a worker of an older release says is less.
  const shown =
    holding?.models ?? models.map(({ cardHash, ...model }) => ({ ...OLDER, ...model, state: 'ready' as const }));
  return { workerId, state, startedAtMs, memoryLimitBytes, rssBytes, models: shown };
}

const OLDER = { folder: '', threads: null, memoryBytes: null, problem: null };
