import type { ExecutionProvider } from '#contracts';
import { median } from '../report/statistics.ts';
import { Side } from '../side.ts';
import { torchPython } from './torch-python.ts';

const CACHES = ['dynamic', 'compiled'] as const;
type Cache = (typeof CACHES)[number];
const NAMES: Readonly<Record<Cache, string>> = {
  dynamic: 'PyTorch/transformers, dynamic cache',
  compiled: 'PyTorch/transformers, static cache and torch.compile',
};

/**
 * PyTorch with transformers in the ways that it has on a device, each in a process of its own. A way that fails is left out from then on and
 * says why; where none is left, `reason` tells it.
 */
export class TorchSides implements AsyncDisposable {
  readonly #sides: Map<Cache, Side>;
  readonly #reasons: string[];

  private constructor(sides: Map<Cache, Side>, reasons: string[]) {
    this.#sides = sides;
    this.#reasons = reasons;
  }

  /** `MILLRACE_BENCH_TORCH_COMPILE=0` leaves torch.compile out, which takes minutes on large shapes. */
  static async start(provider: ExecutionProvider, modelFolder: string): Promise<TorchSides> {
    const found = torchPython(provider);
    const torch = new TorchSides(new Map(), 'missing' in found ? [found.missing] : []);
    if ('missing' in found) return torch;
    for (const cache of CACHES) {
      if (cache === 'compiled' && process.env.MILLRACE_BENCH_TORCH_COMPILE === '0') continue;
      const settings = { python: found.python, modelFolder, device: provider, cache };
      try {
        torch.#sides.set(cache, await Side.start('../peers/torch-decode.mjs', settings));
      } catch (error) {
        torch.#failed(cache, error);
      }
    }
    return torch;
  }

  get reason(): string {
    return this.#reasons.join('; ');
  }

  rates(): Map<Cache, number[]> {
    return new Map([...this.#sides.keys()].map((cache) => [cache, []]));
  }

  /** One measurement of each way, one after another; `told` gets milliseconds of each step. */
  async measure(task: Record<string, unknown>, told: (cache: Cache, stepMs: number[]) => void): Promise<void> {
    for (const [cache, side] of this.#sides) {
      try {
        told(cache, await side.measure<number[]>(task));
      } catch (error) {
        this.#sides.delete(cache);
        this.#failed(cache, error);
        await side[Symbol.asyncDispose]();
      }
    }
  }

  /** The ways that came to the end, the quickest first; its name tells which did not. */
  whole(rates: ReadonlyMap<Cache, number[]>): { readonly name: string; readonly rates: number[] }[] {
    const whole = [...rates].filter(([cache]) => this.#sides.has(cache));
    whole.sort(([, one], [, other]) => median(other) - median(one));
    const others = this.#reasons.length === 0 ? '' : ` (not run: ${this.reason})`;
    return whole.map(([cache, of], i) => ({ name: NAMES[cache] + (i === 0 ? others : ''), rates: of }));
  }

  #failed(cache: Cache, error: unknown): void {
    const reason = `${NAMES[cache]}: ${(error as Error).message.split('\n')[0]}`;
    this.#reasons.push(reason);
    console.error(`not run: ${reason}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sides.values()].map((side) => side[Symbol.asyncDispose]()));
  }
}
