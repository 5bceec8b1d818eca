import type { Redis } from 'ioredis';
import { z } from 'zod';
import { redisKeys, subscriberOf } from '#queue';

/** What is computed within this time is told together. */
const TOLD_MS = 100;
/** Blocks of one message; of what is more the others hear nothing. */
const MOST_BLOCKS = 20_000;

/** Hashes of blocks of prompts, by the worker that computes them. */
const Told = z.object({ replicaId: z.string(), computed: z.record(z.string(), z.array(z.int().min(0))) });

export interface ComputedPromptsOptions {
  readonly replicaId: string;
  /** Hears of what another replica had a worker compute. */
  readonly onComputed: (workerId: string, blocks: readonly number[]) => void;
}

/**
 * Where prompts are computed, as replicas tell one another: by hashes, ten times a second at most, and only of what is new. What is
 * lost, while Redis is away or before a replica came, costs a prompt that is computed once more.
 */
export class ComputedPrompts implements Disposable {
  readonly #redis: Redis;
  readonly #subscriber: Redis;
  readonly #replicaId: string;
  readonly #untold = new Map<string, number[]>();
  #blocks = 0;
  #timer: NodeJS.Timeout | null = null;

  /** @param redis a `producer` connection, which stays its owner's to close */
  constructor(redis: Redis, { replicaId, onComputed }: ComputedPromptsOptions) {
    this.#redis = redis;
    this.#replicaId = replicaId;
    this.#subscriber = subscriberOf(redis);
    this.#subscriber.on('message', (_channel: string, text: string) => {
      const told = readTold(text);
      if (told === null || told.replicaId === replicaId) return;
      for (const [workerId, blocks] of Object.entries(told.computed)) onComputed(workerId, blocks);
    });
    this.#subscriber.subscribe(redisKeys.computedPrompts).catch(() => {});
  }

  /** Tells the other replicas, a moment later. */
  tell(workerId: string, blocks: readonly number[]): void {
    const room = blocks.slice(0, MOST_BLOCKS - this.#blocks);
    if (room.length === 0) return;
    const untold = this.#untold.get(workerId);
    if (untold === undefined) this.#untold.set(workerId, room);
    else untold.push(...room);
    this.#blocks += room.length;
    this.#timer ??= setTimeout(() => this.#tellNow(), TOLD_MS).unref();
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#subscriber.disconnect();
  }

  #tellNow(): void {
    const told = { replicaId: this.#replicaId, computed: Object.fromEntries(this.#untold) };
    this.#untold.clear();
    this.#blocks = 0;
    this.#timer = null;
    this.#redis.publish(redisKeys.computedPrompts, JSON.stringify(told)).catch(() => {});
  }
}

/** Null for what a replica of another release may say. */
function readTold(text: string): z.infer<typeof Told> | null {
  try {
    return Told.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
