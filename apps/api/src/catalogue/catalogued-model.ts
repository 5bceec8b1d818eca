import type { ModelCard } from '#contracts';

/** A model that workers serve now or served before, with what is needed to make a request for it. */
export interface CataloguedModel {
  readonly card: ModelCard;
  readonly cardHash: string;
  /** Workers that take jobs for it now. */
  readonly liveWorkers: number;
  /** Slots of those workers together. */
  readonly liveSlots: number;
}
