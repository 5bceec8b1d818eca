import { relay } from '#contracts';
import type { AnswerId, KeptAnswers } from '#requests';
import type { FrameSink } from './frame-sink.ts';

/** Reads a kept answer in the order in which it was made, each batch once. */
export class AnswerLog {
  readonly #kept: Pick<KeptAnswers, 'frames'>;
  readonly #id: AnswerId;
  #after = '-';
  #lastBatch = 0;

  constructor(kept: Pick<KeptAnswers, 'frames'>, id: AnswerId) {
    this.#kept = kept;
    this.#id = id;
  }

  /** Number of the last batch that was read. */
  get lastBatch(): number {
    return this.#lastBatch;
  }

  /** Hands over all that was added since the last call. @throws MillraceError unavailable */
  async read(sink: Pick<FrameSink, 'delta' | 'finished'>): Promise<void> {
    for (;;) {
      const entries = await this.#kept.frames(this.#id, this.#after);
      if (entries.length === 0) return;
      for (const { entryId, payload } of entries) {
        this.#after = entryId;
        const batch = relay.StepBatch.decode(payload);
        // Written twice, because Redis' answer to the first was lost.
        if (batch.step <= this.#lastBatch) continue;
        this.#lastBatch = batch.step;
        for (const delta of batch.deltas) sink.delta(delta);
        for (const finished of batch.finished) sink.finished(finished);
      }
    }
  }
}
