import { describe, expect, it } from 'vitest';
import type { EngineSettings } from './engine-settings.ts';
import { threadCandidates, tune } from './tuning.ts';

const four = { parallelism: 4, allowed: [0, 1, 2, 3], cores: 2, nodes: [[0, 1, 2, 3]] };

/** A machine on which a candidate's speed is what the test says, and each measurement takes 10 ms. */
function machine(speedOf: (settings: EngineSettings, rows: number) => number, budgetMs = 100_000) {
  let nowMs = 0;
  const opened: EngineSettings[] = [];
  let open = 0;
  const result = tune({
    processors: four,
    budgetMs,
    now: () => nowMs,
    onProgress: () => {},
    open: async (settings) => {
      opened.push(settings);
      open += 1;
      expect(open).toBe(1);
      const measure = async (speed: number) => {
        nowMs += 10;
        return speed;
      };
      return {
        decode: (rows) => measure(speedOf(settings, rows)),
        prefill: (tokens) => measure(speedOf(settings, 1) * Math.min(tokens, 128)),
        [Symbol.asyncDispose]: async () => {
          open -= 1;
        },
      };
    },
  });
  return { result, opened };
}

describe('threadCandidates', () => {
  it('are all processors, one per core, one less for the rest of the worker, half, and a NUMA node where there are several', () => {
    expect(threadCandidates(four)).toEqual([
      { threads: 4, cpus: null },
      { threads: 2, cpus: null },
      { threads: 3, cpus: null },
    ]);
    const two = {
      parallelism: 4,
      allowed: [],
      cores: 4,
      nodes: [
        [0, 2],
        [1, 3],
      ],
    };
    expect(threadCandidates(two).at(-1)).toEqual({ threads: 2, cpus: [0, 2] });
    expect(threadCandidates({ ...four, parallelism: 1, cores: 1 })).toEqual([{ threads: 1, cpus: null }]);
  });
});

describe('tune', () => {
  it('takes the fastest of each setting, with the best of those before it, one model at a time', async () => {
    const { result, opened } = machine(
      ({ threads, spinUs }, rows) => threads * (spinUs === 0 ? 2 : 1) * Math.min(rows, 16),
    );
    const { best, rows } = await result;
    expect(best).toEqual({ threads: 4, cpus: null, spinUs: 0, prefillChunkTokens: 128, slots: 16 });
    expect(rows.filter(({ chosen }) => chosen).map(({ setting, candidate }) => [setting, candidate])).toEqual([
      ['threads', '4'],
      ['spinning', 'none'],
      ['prefill chunk', '128 tokens'],
      ['slots', '16'],
    ]);
    expect(opened.at(-1)).toMatchObject({ threads: 4, spinUs: 0 });
  });

  it('keeps the default where nothing is clearly faster', async () => {
    const { best } = await machine(({ threads, spinUs }) => (threads === 2 ? 1.02 : 1) * (spinUs === 30 ? 1.01 : 1))
      .result;
    expect(best).toMatchObject({ threads: 4, spinUs: 100 });
  });

  it('measures the default and one of each sweep at least, and no more, when time is up', async () => {
    const { result, opened } = machine(() => 1, 1);
    const { rows } = await result;
    expect(opened).toHaveLength(3);
    expect(rows.filter(({ setting, speeds }) => setting === 'threads' && Object.keys(speeds).length > 0)).toHaveLength(
      1,
    );
    expect(rows.filter(({ setting, speeds }) => setting === 'slots' && speeds.decode === 1)).toHaveLength(3);
  });
});
