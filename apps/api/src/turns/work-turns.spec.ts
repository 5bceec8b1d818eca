import { describe, expect, it } from 'vitest';
import { WorkTurns } from './work-turns.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Pieces that take so long each; `done` has their names, `loops` in which turn of the loop each was done. */
function worker(pieceMs: number) {
  let nowMs = 0;
  let loop = 0;
  const turns = new WorkTurns(() => nowMs);
  const done: string[] = [];
  const loops: number[] = [];
  const piece = async (name: string) => {
    await turns.next(name.slice(0, 1));
    nowMs += pieceMs;
    done.push(name);
    loops.push(loop);
  };
  const all = async (pieces: () => Promise<unknown>[]) => {
    let over = false;
    const count = () => {
      loop += 1;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(pieces());
    over = true;
  };
  return { piece, all, done, loops };
}

describe('WorkTurns', () => {
  it('lets long pieces be done one per turn of the event loop, the first at once', async () => {
    const { piece, all, loops } = worker(3);
    await all(() => ['a1', 'a2', 'a3', 'a4', 'a5'].map(piece));
    expect(loops[0]).toBe(0);
    expect(new Set(loops).size).toBe(5);
  });

  it('lets short pieces share a turn', async () => {
    const { piece, all, loops } = worker(0.25);
    await all(() => ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 'a8'].map(piece));
    expect(new Set(loops).size).toBeLessThanOrEqual(3);
  });

  it('serves tenants in turn, whoever has asked for more', async () => {
    const { piece, all, done } = worker(3);
    await all(() => [
      ...['a1', 'a2', 'a3', 'a4', 'a5', 'a6'].map(piece),
      nextTurn().then(() => Promise.all([piece('b1'), piece('c1')])),
    ]);
    expect(done.indexOf('b1')).toBeLessThanOrEqual(3);
    expect(done.indexOf('c1')).toBeLessThanOrEqual(4);
    expect(done.filter((name) => name.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'a6']);
  });

  it('is free again when nobody asked for a turn', async () => {
    const { piece, done } = worker(3);
    await piece('a1');
    await nextTurn();
    await nextTurn();
    void piece('a2');
    for (let microtask = 0; microtask < 5; microtask++) await Promise.resolve();
    expect(done).toEqual(['a1', 'a2']);
  });
});
