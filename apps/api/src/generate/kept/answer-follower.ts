import { isErrorCode, MillraceError } from '#contracts';
import { redisKeys } from '#queue';
import type { AnswerId, KeptAnswer, KeptAnswers, Notices } from '#requests';
import type { Answer } from '../answer.ts';
import { AnswerLog } from './answer-log.ts';

/** Looked at least this often, should a notice be lost, and to see whether the owner lives. */
const LOOK_MS = 500;
const NOBODY = 'the replica that was asked first';

export interface AnswerFollowerParts {
  readonly kept: Pick<KeptAnswers, 'read' | 'frames' | 'watch'>;
  readonly notices: Pick<Notices, 'listen'>;
  /** Called when nobody seems to work on an open answer; takes it over where that is possible. */
  readonly adopt: (id: AnswerId, answer: KeptAnswer) => Promise<void>;
  /** How long an answer goes on for a follower that was last heard of. */
  readonly watchMs: number;
}

/** Tells a kept answer from its beginning, and then as it is made, wherever that is. */
export class AnswerFollower {
  readonly #parts: AnswerFollowerParts;

  constructor(parts: AnswerFollowerParts) {
    this.#parts = parts;
  }

  /**
   * Feeds `answer` until it is over or somebody else has ended it.
   * @throws MillraceError not_found when the answer is not kept (any more)
   */
  async follow(id: AnswerId, answer: Answer): Promise<void> {
    const { kept, notices } = this.#parts;
    const log = new AnswerLog(kept, id);
    const bell = new Bell();
    using _listening = notices.listen(redisKeys.keptChanged(id.tenantId, id.requestId), () => bell.ring());
    void answer.over.then(() => bell.ring());
    let watchedMs = Number.NEGATIVE_INFINITY;
    while (answer.state === 'generating') {
      const rung = bell.next(LOOK_MS);
      try {
        // The state before the frames: an end that is seen here has all of its frames behind it.
        const state = await kept.read(id);
        if (state === null || state.state === 'dropped') return answer.failed(notKept(id.requestId));
        await log.read({
          delta: (delta) => {
            if (answer.workerId === null) answer.granted(NOBODY);
            answer.delta(delta);
          },
          finished: (finished) => {
            if (answer.workerId === null) answer.granted(NOBODY);
            answer.finished(finished);
          },
        });
        if (answer.state !== 'generating') return;
        if (state.state !== 'open') return answer.failed(errorOf(state, id.requestId));
        await this.#parts.adopt(id, state);
        if (performance.now() - watchedMs > this.#parts.watchMs / 3) {
          await kept.watch(id, this.#parts.watchMs);
          watchedMs = performance.now();
        }
      } catch (error) {
        // Streams live on without Redis; this one waits for it.
        if (!(error instanceof MillraceError) || error.code !== 'unavailable') throw error;
      }
      await rung;
    }
  }
}

/** Wakes whoever waits, also when it rang since they last looked. */
class Bell {
  #ring: () => void = () => {};

  ring(): void {
    this.#ring();
  }

  next(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#ring = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function errorOf({ error, state }: KeptAnswer, requestId: string): MillraceError {
  if (error === null) {
    const message = `Request ${requestId} was ${state === 'cancelled' ? 'cancelled' : 'ended'} before its answer was complete.`;
    return new MillraceError('request_cancelled', message);
  }
  const code = isErrorCode(error.code) ? error.code : 'internal_error';
  return new MillraceError(code, error.message, error.param === null ? {} : { param: error.param });
}

export function notKept(requestId: string): MillraceError {
  return new MillraceError(
    'not_found',
    `The answer of request ${requestId} is not kept any more: it was too long ago, too large, or others of your tenant ` +
      'needed the room. Send the request again, with another Idempotency-Key.',
  );
}
