import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

const INCLUDE = /^--@include (\S+)$/gm;

/**
 * One Lua operation from the file `<name>-<number of keys>.lua` of a folder. Sent by hash, and in full to a server that
 * does not know it yet (a restarted or promoted one).
 */
export class RedisScript {
  readonly name: string;
  readonly #keyCount: number;
  readonly #source: string;
  readonly #hash: string;

  /** @param folder where the script and its `includes/` are, with a slash at its end */
  constructor(folder: URL, name: string, keyCount: number) {
    const read = (path: string): string =>
      readFileSync(new URL(`${path}.lua`, folder), 'utf8').replaceAll(INCLUDE, (_, part) => read(`includes/${part}`));
    this.name = name;
    this.#keyCount = keyCount;
    this.#source = read(`${name}-${keyCount}`);
    this.#hash = createHash('sha1').update(this.#source).digest('hex');
  }

  /** @throws Error of Redis; Error when the number of keys is not the file's */
  async run(redis: Redis, keys: readonly string[], args: readonly (string | number | Buffer)[]): Promise<unknown> {
    if (keys.length !== this.#keyCount) {
      throw new Error(`The script ${this.name} takes ${this.#keyCount} keys, not ${keys.length}.`);
    }
    try {
      return await redis.evalsha(this.#hash, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(this.#source, keys.length, ...keys, ...args);
    }
  }
}
