import type { QueueOutlook } from '#admission';
import type { TenantContext } from '../auth/tenant-context.ts';
import type { CataloguedModel } from '../catalogue/catalogued-model.ts';
import type { QueueView } from './admin-bodies.ts';
import { requireOperator } from './permissions.ts';

export interface QueuesAdminParts {
  /** Every model that was ever served. */
  readonly models: () => readonly CataloguedModel[];
  readonly outlook: (model: string, slots: number) => Promise<QueueOutlook>;
}

/** The models' queues at the admin API, as all replicas see them. */
export class QueuesAdmin {
  readonly #parts: QueuesAdminParts;

  constructor(parts: QueuesAdminParts) {
    this.#parts = parts;
  }

  /** @throws MillraceError permission_denied, unavailable */
  async list(caller: TenantContext): Promise<{ queues: QueueView[] }> {
    requireOperator(caller);
    const queues = this.#parts.models().map(async ({ card, liveWorkers, liveSlots }): Promise<QueueView> => {
      const { waiting, active, drainRate, waitMs } = await this.#parts.outlook(card.model, liveSlots);
      return { model: card.model, waiting, active, liveWorkers, liveSlots, drainRate, estimatedWaitMs: waitMs };
    });
    return { queues: await Promise.all(queues) };
  }
}
