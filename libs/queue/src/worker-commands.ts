import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { CommandAnswer, MillraceError, WorkerCommand } from '#contracts';
import { redisCall } from './redis-call.ts';
import { redisKeys } from './redis-keys.ts';
import { subscriberOf } from './subscriber-of.ts';

/** A command that nobody takes is a dead worker's. */
const KEPT_MS = 60_000;
/** Looked into at least this often, should a notice be lost. */
const LOOK_MS = 2_000;
/** Reading and checking a model folder takes a second or two. */
const ANSWER_MS = 15_000;
const ANSWER_LOOK_MS = 50;

export interface WorkerCommandsParts {
  /** A `producer` connection, which stays its owner's to close. */
  readonly redis: Redis;
  readonly workerId: string;
  /** Called with one command after another. A rejection is answered as a refusal. */
  readonly handle: (command: WorkerCommand) => Promise<CommandAnswer>;
  readonly onError: (error: Error) => void;
}

/** The worker's side: commands that come to it through a list in Redis, in their order, each answered once. */
export class WorkerCommands implements AsyncDisposable {
  readonly #parts: WorkerCommandsParts;
  readonly #subscriber: Redis;
  readonly #timer: NodeJS.Timeout;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(parts: WorkerCommandsParts) {
    this.#parts = parts;
    this.#subscriber = subscriberOf(parts.redis);
    const look = () => this.#look();
    this.#subscriber.on('message', look);
    this.#subscriber.on('ready', look);
    this.#subscriber.subscribe(redisKeys.workerNotice(parts.workerId)).then(look, () => {});
    this.#timer = setInterval(look, LOOK_MS).unref();
  }

  /** Takes no further command, and waits for the one in hand. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#subscriber.disconnect();
    await this.#turn;
  }

  #look(): void {
    this.#turn = this.#turn.then(() => this.#takeAll()).catch((error: Error) => this.#parts.onError(error));
  }

  async #takeAll(): Promise<void> {
    const { redis, workerId, handle } = this.#parts;
    while (!this.#closed) {
      // What can not be read now is read at the next look.
      const text = await redis.lpop(redisKeys.workerCommands(workerId)).catch(() => null);
      if (text === null) return;
      const parsed = WorkerCommand.safeParse(JSON.parse(text));
      if (!parsed.success) {
        this.#parts.onError(new Error(`a command is of a release that this one does not know: ${text.slice(0, 200)}`));
        continue;
      }
      const answer = await handle(parsed.data).catch(refusalOf);
      await redis.set(redisKeys.workerAnswer(parsed.data.commandId), JSON.stringify(answer), 'PX', KEPT_MS);
    }
  }
}

function refusalOf(error: unknown): CommandAnswer {
  const code = error instanceof MillraceError ? error.code : 'internal_error';
  return { outcome: 'refused', code, message: error instanceof Error ? error.message : String(error) };
}

/**
 * Asks a worker to do something, and waits until it has begun with it.
 * @returns the model that it is about
 * @throws MillraceError with the worker's own code when it refuses; `unavailable` when it does not answer, or Redis is away
 */
export async function askWorker(redis: Redis, workerId: string, command: WorkerCommand): Promise<string> {
  const key = redisKeys.workerCommands(workerId);
  await redisCall(redis, `send worker ${workerId} a command`, () =>
    redis
      .multi()
      .rpush(key, JSON.stringify(command))
      .pexpire(key, KEPT_MS)
      .publish(redisKeys.workerNotice(workerId), command.action)
      .exec(),
  );
  const giveUpAtMs = performance.now() + ANSWER_MS;
  while (performance.now() < giveUpAtMs) {
    const text = await redisCall(redis, `read the answer of worker ${workerId}`, () =>
      redis.get(redisKeys.workerAnswer(command.commandId)),
    );
    if (text !== null) return begunModelOf(text);
    await sleep(ANSWER_LOOK_MS);
  }
  const message = `Worker ${workerId} has not answered within ${ANSWER_MS / 1_000} s. It may be gone, or still do it: look at its models, and ask again.`;
  throw new MillraceError('unavailable', message);
}

function begunModelOf(text: string): string {
  const answer = CommandAnswer.parse(JSON.parse(text));
  if (answer.outcome === 'begun') return answer.model;
  throw new MillraceError(answer.code, answer.message);
}
