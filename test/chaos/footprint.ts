import { readdirSync, readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { pendingTimers, usedHeapBytes } from '../support/inspector.ts';
import type { ProductProcess } from '../support/product-process.ts';
import { lastingKeys } from './lasting-keys.ts';

/** What a process holds while it has nothing to do. */
export interface Footprint {
  /** JavaScript objects in use. */
  readonly heapBytes: number;
  /** Everything it has of the machine's memory; Linux only, otherwise 0. */
  readonly residentBytes: number;
  readonly timers: number;
  /** Open files and sockets; Linux only, otherwise 0. */
  readonly files: number;
}

const isLinux = process.platform === 'linux';

export async function footprintOf(member: ProductProcess): Promise<Footprint> {
  const timers = await pendingTimers(member);
  const heapBytes = await usedHeapBytes(member);
  const { pid } = member.child;
  const residentKib = isLinux ? /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] : 0;
  const files = isLinux ? readdirSync(`/proc/${pid}/fd`).length : 0;
  return { heapBytes, residentBytes: Number(residentKib) * 1_024, timers, files };
}

/**
 * Entries of the ledger come with every request and stay by intention; they are delivered or trimmed by age. BullMQ cuts its
 * events at a number of entries, but only by whole nodes of the stream, so that their bytes go up and down by some thousand.
 */
const CUT_OTHERWISE = /:(ledger|events)$/;

/**
 * Bytes of the keys that neither expire nor are cut at a length: what must not grow with requests.
 * @param redis past any proxy
 */
export async function lastingRedisBytes(redis: Redis): Promise<number> {
  const counted = (await lastingKeys(redis)).filter((key) => !CUT_OTHERWISE.test(key));
  const bytes = await Promise.all(counted.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
  return bytes.reduce<number>((sum, each) => sum + Number(each), 0);
}
