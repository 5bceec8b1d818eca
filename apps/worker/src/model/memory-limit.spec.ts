import { describe, expect, it } from 'vitest';
import type { ModelOptions } from '../worker-options.ts';
import { memoryLimitOf, requireFit } from './memory-limit.ts';
import { type MemorySizes, memoryNeedOf, needOnceLoaded } from './memory-need.ts';

const MIB = 1024 * 1024;
/** 1 MiB of keys and values for 1024 tokens. */
const sizes: MemorySizes = {
  weightBytes: 100 * MIB,
  loadedBytes: 130 * MIB,
  layers: 2,
  kvHeads: 2,
  headSize: 32,
  cacheType: 'float32',
  ownCache: null,
  sharesCache: true,
  stateBytes: 0,
};
const options = (more: Partial<ModelOptions> = {}) =>
  ({ slots: 8, parkingSlots: 0, kvBytes: 0, prefixCacheBytes: 0, ...more }) as ModelOptions;

describe('memoryNeedOf', () => {
  it('counts weights, and keys and values of all seats as configured', () => {
    expect(memoryNeedOf(sizes, options(), 1024, ['cuda', 'cpu'])).toMatchObject({
      kvBytes: 8 * MIB,
      certainBytes: 230 * MIB,
    });
    expect(memoryNeedOf(sizes, options({ parkingSlots: 3 }), 1024, ['cuda', 'cpu']).kvBytes).toBe(12 * MIB);
    expect(memoryNeedOf(sizes, options({ kvBytes: 5 * MIB }), 1024, ['cuda', 'cpu']).kvBytes).toBe(5 * MIB);
    expect(memoryNeedOf(sizes, options({ kvBytes: 500 * MIB }), 1024, ['cuda', 'cpu']).kvBytes).toBe(8 * MIB);
    expect(memoryNeedOf({ ...sizes, sharesCache: false }, options(), 1024, ['cuda', 'cpu']).kvBytes).toBe(16 * MIB);
    expect(memoryNeedOf(sizes, options({ prefixCacheBytes: 7 * MIB }), 1024, ['cuda', 'cpu']).mostBytes).toBe(
      245 * MIB,
    );
  });

  it('counts states of a fixed size of all seats, of those that runs make too, and no prefix cache beside large ones', () => {
    const asked = options({ parkingSlots: 3, prefixCacheBytes: 7 * MIB });
    // 8 seats twice, 4 parking slots, and one between the runs of a chunk.
    const expected = { stateBytes: 21 * MIB, kvBytes: 12 * MIB, prefixCacheBytes: 0, mostBytes: (230 + 12 + 21) * MIB };
    expect(memoryNeedOf({ ...sizes, stateBytes: MIB }, asked, 1024, ['cpu'])).toMatchObject(expected);
    expect(memoryNeedOf({ ...sizes, stateBytes: MIB }, asked, 1024, ['cuda'])).toMatchObject(expected);
    // Of four blocks of 16 KiB: as large as states may be that blocks have room for.
    const small = memoryNeedOf({ ...sizes, stateBytes: MIB / 16 }, asked, 1024, ['cpu']);
    expect(small).toMatchObject({ stateBytes: (21 * MIB) / 16, prefixCacheBytes: 7 * MIB });
  });
});

describe('keys, values and prefixes on a device', () => {
  const asked = options({ prefixCacheBytes: 7 * MIB });
  const nothing = { kvBytes: 0, prefixCacheBytes: 0, mostBytes: 230 * MIB, certainBytes: 230 * MIB };

  it('take nothing of the host where the model can run nowhere else', () => {
    expect(memoryNeedOf(sizes, asked, 1024, ['cuda'])).toMatchObject(nothing);
    expect(memoryNeedOf({ ...sizes, sharesCache: false }, asked, 1024, ['cuda']).mostBytes).toBe(253 * MIB);
  });

  it('count until it is known that it does not run on the CPU', () => {
    const need = memoryNeedOf(sizes, asked, 1024, ['cuda', 'cpu']);
    expect(need.mostBytes).toBe(245 * MIB);
    expect(needOnceLoaded(need, { kvMemory: 'device' })).toMatchObject(nothing);
    expect(needOnceLoaded(need, { kvMemory: 'host' })).toEqual(need);
  });

  it('are not in what a model that does not fit is said to need', () => {
    const need = memoryNeedOf(sizes, asked, 1024, ['cuda']);
    expect(() => requireFit('a', need, [], memoryLimitOf(380 * MIB))).not.toThrow();
    expect(() => requireFit('a', need, [], memoryLimitOf(379 * MIB))).toThrow(
      /needs 230 MiB for its weights \([^)]*\) and its thread; the worker .* or raise MILLRACE_MEMORY_LIMIT_MB\./,
    );
  });
});

describe('requireFit', () => {
  const need = memoryNeedOf(sizes, options({ prefixCacheBytes: 12 * MIB }), 1024, ['cuda', 'cpu']); // 250 MiB, 230 without caches

  it('refuses what does not fit beside the others, and names the model, the need, the limit and the remedy', () => {
    const limit = memoryLimitOf(600 * MIB);
    expect(() => requireFit('a', need, [], limit)).not.toThrow();
    expect(() => requireFit('b', need, [need], limit)).toThrow(
      /"b" does not fit: it needs 230 MiB for its weights \(100 MiB of files, 130 MiB loaded\) and its thread, 8 MiB for keys and values, 12 MiB for its prefix cache; the worker has 400 MiB taken of 600 MiB \(MILLRACE_MEMORY_LIMIT_MB\), so 200 MiB are left\. Unload another/,
    );
    expect(() => requireFit('b', need, [need], memoryLimitOf(650 * MIB))).not.toThrow();
  });

  it('does not count caches where no limit was set, since they are taken as they fill', () => {
    const limit = { bytes: 620 * MIB, countsCaches: false, source: "the container's memory" };
    expect(() => requireFit('b', need, [need], limit)).not.toThrow();
    expect(() => requireFit('b', need, [need, need], limit)).toThrow(/"b" does not fit.*the container's memory/);
  });
});
