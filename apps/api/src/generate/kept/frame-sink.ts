import type { relay } from '#contracts';

/** Hears of every frame of an answer that this replica has accepted, in order. */
export interface FrameSink {
  delta(delta: relay.Delta): void;
  finished(finished: relay.Finished): void;
  /** The next attempt has this epoch. */
  attempt(epoch: number): void;
}
