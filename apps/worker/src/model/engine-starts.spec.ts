import { describe, expect, it } from 'vitest';
import { EngineStarts } from './engine-starts.ts';

const NEVER = new AbortController().signal;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** CUDA as far as captures go: of one process, and whatever else is asked meanwhile fails and ends them. */
class Cuda {
  #capture: { isBroken: boolean } | null = null;

  ask(): void {
    if (this.#capture === null) return;
    this.#capture.isBroken = true;
    throw new Error('operation not permitted when stream is capturing');
  }

  async capture(): Promise<void> {
    const capture = { isBroken: false };
    this.#capture = capture;
    await turn();
    this.#capture = null;
    if (capture.isBroken) throw new Error('capture was invalidated');
  }
}

/** A worker's models, and what each start captured. */
class Worker {
  readonly models = new Set<string>();
  readonly captured = new Map<string, number>();
  readonly waited: string[] = [];
  readonly starts = new EngineStarts(() => this.models.size === 1);
  readonly #cuda = new Cuda();

  /** Takes memory, loads weights, and captures where it is to. */
  async start(model: string, signal: AbortSignal = NEVER): Promise<void> {
    this.models.add(model);
    await this.starts.run(
      4,
      async (rows) => {
        for (let step = 0; step < 5; step += 1) {
          this.#cuda.ask();
          await turn();
        }
        if (rows > 0) await this.#cuda.capture();
        this.captured.set(model, rows);
      },
      signal,
      () => this.waited.push(model),
    );
  }
}

describe('starts of engines in one worker', () => {
  it('leave CUDA to one that captures, whenever another model comes', async () => {
    for (let late = 0; late < 9; late += 1) {
      const worker = new Worker();
      const first = worker.start('first');
      for (let turns = 0; turns < late; turns += 1) await turn();
      await Promise.all([first, worker.start('second'), worker.start('third')]);
      expect([...worker.captured]).toEqual([
        ['first', 4],
        ['second', 0],
        ['third', 0],
      ]);
    }
  });

  it('that do not capture wait for nobody', async () => {
    const worker = new Worker();
    for (const model of ['slow', 'quick']) worker.models.add(model);
    const order: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = worker.starts.run(
      4,
      async () => promise,
      NEVER,
      () => order.push('waited'),
    );
    await worker.starts.run(
      4,
      async () => void order.push('quick'),
      NEVER,
      () => order.push('waited'),
    );
    resolve();
    await slow;
    expect(order).toEqual(['quick']);
  });

  it('go on when one that captures fails, and capture again', async () => {
    const worker = new Worker();
    worker.models.add('first');
    const failing = worker.starts.run(
      4,
      () => Promise.reject(new Error('no memory')),
      NEVER,
      () => {},
    );
    const again = worker.start('first');
    await expect(failing).rejects.toThrow('no memory');
    await again;
    expect(worker.captured.get('first')).toBe(4);
    expect(worker.waited).toEqual(['first']);
  });

  it('wait no longer than they are wanted', async () => {
    const worker = new Worker();
    worker.models.add('first');
    const { promise, resolve } = Promise.withResolvers<void>();
    const capturing = worker.starts.run(
      4,
      () => promise,
      NEVER,
      () => {},
    );
    const closing = new AbortController();
    worker.models.add('second');
    const started: number[] = [];
    const waiting = worker.starts.run(
      4,
      async (rows) => started.push(rows),
      closing.signal,
      () => {},
    );
    closing.abort();
    await expect(waiting).rejects.toThrow(/aborted/);
    expect(started).toEqual([]);
    resolve();
    await capturing;
  });
});
