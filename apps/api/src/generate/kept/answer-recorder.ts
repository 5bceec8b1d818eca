import { setTimeout as sleep } from 'node:timers/promises';
import { relay } from '#contracts';
import type { Logger } from '#observability';
import type { AnswerId, KeptAnswers, KeptEnding } from '#requests';
import type { FrameSink } from './frame-sink.ts';

/** Frames of so many ms travel together: one call of Redis for each batch. */
const BATCH_MS = 20;
/** Pause between tries while Redis is away. */
const RETRY_MS = 250;
/** After the end of the answer nobody waits for longer. */
const TRY_MS = 60_000;
/** Frames that wait for Redis; beyond it the answer is not kept any more, and goes on for its client alone. */
const MOST_WAITING = 200_000;

export interface AnswerRecorderOptions {
  readonly id: AnswerId;
  readonly owner: string;
  readonly epoch: number;
  /** Number of the last batch that is kept already. */
  readonly lastBatch: number;
  readonly logger: Logger;
  /** Another replica owns the answer now: this one is not to go on. */
  readonly onLost: () => void;
}

/**
 * Writes an answer to Redis while it is made, in batches that are numbered, so that one that was written twice counts once.
 * The answer never waits for it; while Redis is away, frames wait here.
 */
export class AnswerRecorder implements FrameSink {
  readonly #kept: Pick<KeptAnswers, 'append'>;
  readonly #options: AnswerRecorderOptions;
  #epoch: number;
  #batch: relay.StepBatch;
  #waiting = 0;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  #givenUp = false;

  constructor(kept: Pick<KeptAnswers, 'append'>, options: AnswerRecorderOptions) {
    this.#kept = kept;
    this.#options = options;
    this.#epoch = options.epoch;
    this.#batch = emptyBatch(options.lastBatch + 1);
  }

  attempt(epoch: number): void {
    this.#epoch = epoch;
    this.#arm();
  }

  delta(delta: relay.Delta): void {
    if (this.#stopped) return;
    this.#batch.deltas.push(delta);
    this.#count();
  }

  finished(finished: relay.Finished): void {
    if (this.#stopped) return;
    this.#batch.finished.push(finished);
    this.#count();
  }

  /** Writes what is left and how it ended; settles, and never rejects, when Redis has it or has had a while to take it. */
  async end(ending: KeptEnding): Promise<void> {
    if (this.#stopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#write(ending);
    this.#stopped = true;
    await this.#writing;
  }

  #count(): void {
    this.#waiting += 1;
    if (this.#waiting > MOST_WAITING) this.#giveUp('too many frames wait for Redis');
    else this.#arm();
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#write(null);
    }, BATCH_MS);
  }

  #write(ending: KeptEnding | null): void {
    const batch = this.#batch;
    const frames = batch.deltas.length + batch.finished.length;
    const epoch = this.#epoch;
    this.#batch = emptyBatch(batch.step + 1);
    // Deltas come before finishes in a batch; of a choice they always do, so no order is lost that matters.
    const payload = frames === 0 ? null : Buffer.from(relay.StepBatch.encode(batch).finish());
    this.#writing = this.#writing
      .then(() => this.#append(epoch, payload, ending))
      .then(() => {
        this.#waiting -= frames;
      });
  }

  async #append(epoch: number, payload: Buffer | null, ending: KeptEnding | null): Promise<void> {
    const { id, owner, onLost } = this.#options;
    const lastMs = performance.now() + TRY_MS;
    while (!this.#givenUp) {
      try {
        const verdict = await this.#kept.append(id, owner, epoch, payload, ending);
        if (verdict === 'dropped') this.#giveUp('it has become too large');
        // An end whose answer was lost finds the answer ended.
        if (verdict === 'lost' && ending === null) {
          this.#giveUp('another replica has it');
          onLost();
        }
        return;
      } catch {
        if (performance.now() > lastMs) this.#giveUp('Redis was away for too long');
        else await sleep(RETRY_MS);
      }
    }
  }

  #giveUp(why: string): void {
    if (this.#givenUp) return;
    this.#givenUp = true;
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#batch = emptyBatch(0);
    this.#options.logger.info({ requestId: this.#options.id.requestId, why }, 'the answer is not kept any more');
  }
}

function emptyBatch(step: number): relay.StepBatch {
  return { step, deltas: [], finished: [], failed: [] };
}
