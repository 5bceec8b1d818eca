import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { redisKeys } from '../redis-keys.ts';
import { KeyVersionError } from './key-version-error.ts';

/** Raised together with a migration when the meaning or place of keys changes so that this release can not read them. */
const KEY_VERSION = 1;

/**
 * Brings keys from the version before to `to`. Runs while replicas of the previous release still write the old form, and
 * again after a crash half-way: it adds, copies and can be repeated, and takes nothing away that they need. What it
 * leaves behind is taken away by the migration after it.
 */
export interface KeyMigration {
  readonly to: number;
  readonly run: (redis: Redis) => Promise<void>;
}

/** In order, without a gap. Nothing has been released before version 1. */
const MIGRATIONS: readonly KeyMigration[] = [];

const LOCK_MS = 30_000;
const PAUSE_MS = 100;

/**
 * Makes sure that this release can work with what is in Redis, before it does: runs the migrations that are missing, one
 * process at a time. Data of the next release is taken as it is, so that a replica can restart while it is replaced.
 * @returns the version that the keys have
 * @throws KeyVersionError for data that is two releases newer, and what Redis says when it goes away
 */
export async function migrateKeys(redis: Redis, version = KEY_VERSION, migrations = MIGRATIONS): Promise<number> {
  for (;;) {
    // A Redis without the mark is empty, or of the first version, which set none.
    const stored = Number((await redis.get(redisKeys.keyVersion)) ?? 1);
    if (stored > version + 1) throw new KeyVersionError(stored, version);
    if (stored >= version) {
      await redis.set(redisKeys.keyVersion, stored, 'NX');
      return stored;
    }
    const token = randomUUID();
    if ((await redis.set(redisKeys.keyMigration, token, 'PX', LOCK_MS, 'NX')) === null) await sleep(PAUSE_MS);
    else await runLocked(redis, token, () => runFrom(redis, stored, version, migrations));
  }
}

async function runLocked(redis: Redis, token: string, work: () => Promise<void>): Promise<void> {
  const renewal = setInterval(() => void redis.pexpire(redisKeys.keyMigration, LOCK_MS).catch(() => {}), LOCK_MS / 3);
  try {
    await work();
  } finally {
    clearInterval(renewal);
    if ((await redis.get(redisKeys.keyMigration)) === token) await redis.del(redisKeys.keyMigration);
  }
}

async function runFrom(
  redis: Redis,
  stored: number,
  version: number,
  migrations: readonly KeyMigration[],
): Promise<void> {
  // Another process may have been through while this one waited.
  const current = Math.max(stored, Number((await redis.get(redisKeys.keyVersion)) ?? 1));
  for (let to = current + 1; to <= version; to += 1) {
    const migration = migrations.find((each) => each.to === to);
    if (migration === undefined) throw new Error(`There is no migration of keys to version ${to}.`);
    await migration.run(redis);
    await redis.set(redisKeys.keyVersion, to);
  }
}
