import type { ModelCard } from '#contracts';
import type { PromptTraits } from '#models';

/** A model that workers serve now or served before, with what is needed to make a request for it. */
export interface CataloguedModel {
  readonly card: ModelCard;
  readonly cardHash: string;
  /** Unix time in s since when this cluster has the model, whoever serves it. */
  readonly servedSince: number;
  /** What its template does with tools and reasoning. */
  readonly traits: PromptTraits;
  /** Workers that take jobs for it now. */
  readonly liveWorkers: number;
  /** Slots of those workers together. */
  readonly liveSlots: number;
  /** Slots of the one of them that has the fewest: as many choices of one request can any of them run. */
  readonly fewestSlots: number;
  /** Newest version of jobs that all its workers read. */
  readonly jobVersion: number;
}
