import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransientMap, TransientSet } from './index.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

interface OpenEntries {
  set(key: string, value: object): unknown;
  delete(key: string): boolean;
}

const REQUESTS = 30_000;
const OPEN_AT_ONCE = 8;

/** Bytes that a request leaves in the heap once the young generation has been collected, eight being open at any time. */
function leftBehind(open: OpenEntries): number {
  const request = (index: number): void => {
    open.set(`request ${index}`, { numbers: [index, index, index, index] });
    open.delete(`request ${index - OPEN_AT_ONCE}`);
  };
  for (let index = 0; index < 1_000; index += 1) request(index);
  collect();
  const before = getHeapStatistics().used_heap_size;
  for (let index = 1_000; index < 1_000 + REQUESTS; index += 1) request(index);
  for (let times = 0; times < 3; times += 1) collect({ type: 'minor' });
  return (getHeapStatistics().used_heap_size - before) / REQUESTS;
}

describe('entries that have gone', () => {
  it('are collected with the young generation', () => {
    expect(leftBehind(new TransientMap<string, object>())).toBeLessThan(20);
  });

  it('would stay in a Map, which is why there is another', () => {
    expect(leftBehind(new Map<string, object>())).toBeGreaterThan(20);
  });
});

const commands = fc.array(fc.tuple(fc.constantFrom('set', 'delete'), fc.nat(30)), { maxLength: 300 });

describe('a transient collection', () => {
  it('holds what a Map holds, in its order', () => {
    fc.assert(
      fc.property(commands, (calls) => {
        const model = new Map<number, number>();
        const map = new TransientMap<number, number>();
        for (const [call, key] of calls) {
          if (call === 'delete') expect(map.delete(key)).toBe(model.delete(key));
          else map.set(key, model.set(key, model.size).get(key) as number);
          expect(map.get(key)).toBe(model.get(key));
          expect(map.has(key)).toBe(model.has(key));
          expect(map.size).toBe(model.size);
        }
        expect(map.values()).toEqual([...model.values()]);
      }),
    );
  });

  it('holds what a Set holds, in its order', () => {
    fc.assert(
      fc.property(commands, (calls) => {
        const model = new Set<number>();
        const set = new TransientSet<number>();
        for (const [call, member] of calls) {
          if (call === 'delete') expect(set.delete(member)).toBe(model.delete(member));
          else expect(set.add(member).size).toBe(model.add(member).size);
          expect(set.has(member)).toBe(model.has(member));
        }
        expect(set.values()).toEqual([...model]);
      }),
    );
  });
});
