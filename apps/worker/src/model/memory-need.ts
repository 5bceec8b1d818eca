import {
  blocksHaveStates,
  type ExecutionProvider,
  kvBytesOfToken,
  type RunnerDescription,
  slotsOfStates,
} from '#contracts';
import type { ModelSignature } from '#model-runner';
import type { ModelOptions } from '../worker-options.ts';
import { parkingSlotsOf } from './parking-slots.ts';

const MIB = 1024 * 1024;

/** Of a worker without a model. */
export const PROCESS_BYTES = 150 * MIB;
/** Of a model's thread, tokenizer and queue, and of what its runs compute. */
const THREAD_BYTES = 100 * MIB;

/** What a model takes of the host's memory. */
export interface MemoryNeed {
  /** Its files. */
  readonly weightBytes: number;
  /** What these are in memory. */
  readonly loadedBytes: number;
  /** Keys and values as configured, those of parked sequences included; 0 where they are on a device, as `prefixCacheBytes`. */
  readonly kvBytes: number;
  readonly prefixCacheBytes: number;
  /** States of a fixed size that layers keep beside keys and values, of all seats; 0 in most models. */
  readonly stateBytes: number;
  /** From the moment it is loaded, whatever is asked of it. */
  readonly certainBytes: number;
  /** When its cache is full. */
  readonly mostBytes: number;
}

/** The sizes of a model that its memory follows from. */
export type MemorySizes = Pick<
  ModelSignature,
  | 'weightBytes'
  | 'loadedBytes'
  | 'layers'
  | 'kvHeads'
  | 'headSize'
  | 'cacheType'
  | 'ownCache'
  | 'sharesCache'
  | 'stateBytes'
>;

/**
 * @param slotTokens what a slot really holds, with the model's own limit
 * @param providers in the order in which they are tried: while the CPU is one of them, what is on a device instead shows when it is loaded
 */
export function memoryNeedOf(
  sizes: MemorySizes,
  options: ModelOptions,
  slotTokens: number,
  providers: readonly ExecutionProvider[],
): MemoryNeed {
  const { weightBytes, loadedBytes, sharesCache, ownCache, cacheType } = sizes;
  // Keys and values; where past and present can not share memory there are two of each while a step runs.
  const tokenBytes = kvBytesOfToken(sizes, ownCache ?? cacheType) * (sharesCache ? 1 : 2);
  const parkingSlots = parkingSlotsOf(options);
  const allSlotsBytes = (options.slots + parkingSlots) * slotTokens * tokenBytes;
  const kvBytes = options.kvBytes === 0 ? allSlotsBytes : Math.min(options.kvBytes, allSlotsBytes);
  const stateBytes = sizes.stateBytes * slotsOfStates(options.slots, parkingSlots);
  const keepsPrefixes = blocksHaveStates(sizes.stateBytes, kvBytesOfToken(sizes, ownCache ?? cacheType));
  const prefixCacheBytes = keepsPrefixes ? options.prefixCacheBytes : 0;
  const certainBytes = loadedBytes + THREAD_BYTES;
  const mostBytes = certainBytes + kvBytes + prefixCacheBytes + stateBytes;
  const need = { weightBytes, loadedBytes, kvBytes, prefixCacheBytes, stateBytes, certainBytes, mostBytes };
  // Runners keep a cache on the device only where they write to it in place.
  return providers.includes('cpu') || !sharesCache || stateBytes > 0 ? need : withoutCaches(need);
}

/** What it takes, now that it is known where its cache is. */
export function needOnceLoaded(need: MemoryNeed, { kvMemory }: Pick<RunnerDescription, 'kvMemory'>): MemoryNeed {
  return kvMemory === 'device' ? withoutCaches(need) : need;
}

function withoutCaches(need: MemoryNeed): MemoryNeed {
  return { ...need, kvBytes: 0, prefixCacheBytes: 0, stateBytes: 0, mostBytes: need.certainBytes };
}
