import type { EngineSettings } from './engine-settings.ts';
import { median } from './model-speed.ts';
import type { Processors } from './processors.ts';

/** A model loaded with certain settings, whose speeds can be asked for. Tokens per second. */
export interface MeasuredModel extends AsyncDisposable {
  decode(rows: number, slice: { readonly sliceMs: number }): Promise<number>;
  prefill(chunkTokens: number, slice: { readonly sliceMs: number }): Promise<number>;
}

export interface TuningParts {
  readonly open: (settings: EngineSettings) => Promise<MeasuredModel>;
  readonly processors: Processors;
  /** All in all; what can not be measured by then is not. */
  readonly budgetMs: number;
  readonly now: () => number;
  readonly onProgress: (message: string) => void;
}

/** One candidate of one setting, as it was measured. */
export interface TuningRow {
  readonly setting: 'threads' | 'spinning' | 'prefill chunk' | 'slots';
  readonly candidate: string;
  /** Tokens per second by what was computed; empty where time was short. */
  readonly speeds: Readonly<Record<string, number>>;
  readonly chosen: boolean;
}

export interface Tuning {
  readonly rows: readonly TuningRow[];
  readonly best: EngineSettings & { readonly slots: number };
}

/** Noise: what gains less is no reason to leave a default. */
const WORTH = 1.03;
/** A smaller chunk, or fewer slots, with nearly the most tokens per second lets others wait less. */
const NEARLY_ALL_PREFILL = 0.97;
const NEARLY_ALL_DECODE = 0.95;
/** None beyond the default: what longer spinning takes from the rest of a worker, the model alone does not show. */
const SPIN_CANDIDATES_US = [100, 0, 30];
const CHUNK_CANDIDATES = [32, 64, 128, 256, 512];
const SLOT_CANDIDATES = [8, 16, 32];
export const MOST_ROWS = Math.max(...SLOT_CANDIDATES);
export const LONGEST_CHUNK = Math.max(...CHUNK_CANDIDATES);
const MOST_ROUNDS = 5;
/** Parts of the budget; loading takes from them too. */
const PART = { threads: 0.45, spinning: 0.25, chunk: 0.15, slots: 0.15 };

const DEFAULT_PREFILL_CHUNK = 128;
export const DEFAULT_SPIN_US = 100;

/** Threads and processors that are worth a try here; the default first. */
export function threadCandidates({
  parallelism,
  cores,
  nodes,
}: Processors): Pick<EngineSettings, 'threads' | 'cpus'>[] {
  const counts = new Set([parallelism, cores, parallelism - 1, Math.ceil(parallelism / 2)]);
  const anywhere = [...counts].filter((threads) => threads >= 1).map((threads) => ({ threads, cpus: null }));
  // A node's memory is nearer to its own processors; with one node there is nothing to choose.
  const first = nodes.length > 1 ? nodes[0] : undefined;
  return first === undefined
    ? anywhere
    : [...anywhere, { threads: Math.min(first.length, parallelism), cpus: [...first] }];
}

/** Looks for the best of one setting after another, each with the best of those before it. */
export async function tune(parts: TuningParts): Promise<Tuning> {
  const { processors, budgetMs, now, onProgress } = parts;
  const rows: TuningRow[] = [];
  let best: EngineSettings = {
    ...{ threads: processors.parallelism, cpus: null },
    ...{ spinUs: DEFAULT_SPIN_US, prefillChunkTokens: DEFAULT_PREFILL_CHUNK },
  };

  /** Loads the model with each candidate in turn, round after round. */
  const compare = async (setting: 'threads' | 'spinning', candidates: readonly EngineSettings[], partMs: number) => {
    onProgress(`measuring ${setting}: ${candidates.length} candidates`);
    const endAtMs = now() + partMs;
    const sliceMs = Math.min(400, partMs / candidates.length / 12);
    const samples = candidates.map(() => ({ one: [] as number[], eight: [] as number[], prompt: [] as number[] }));
    for (let round = 0; round < MOST_ROUNDS && (round === 0 || now() < endAtMs); round += 1) {
      for (const [index, candidate] of candidates.entries()) {
        // The first one is the default, which everything is compared with.
        if (now() >= endAtMs && !(round === 0 && index === 0)) break;
        await using model = await parts.open(candidate);
        samples[index]?.one.push(await model.decode(1, { sliceMs }));
        samples[index]?.eight.push(await model.decode(8, { sliceMs }));
        samples[index]?.prompt.push(await model.prefill(candidate.prefillChunkTokens, { sliceMs }));
      }
    }
    const speeds = samples.map(
      ({ one, eight, prompt }): Record<string, number> =>
        one.length === 0 ? {} : { 'decode 1': median(one), 'decode 8': median(eight), prefill: median(prompt) },
    );
    const scores = speeds.map((each) => scoreOf(each, speeds[0] ?? {}));
    const fastest = scores.indexOf(Math.max(...scores));
    const chosen = (scores[fastest] ?? 0) >= WORTH ? fastest : 0;
    for (const [index, candidate] of candidates.entries()) {
      const name = setting === 'threads' ? threadsText(candidate) : spinText(candidate);
      rows.push({ setting, candidate: name, speeds: speeds[index] ?? {}, chosen: index === chosen });
    }
    best = candidates[chosen] ?? best;
  };

  const settings = best;
  await compare(
    'threads',
    threadCandidates(processors).map((candidate) => ({ ...settings, ...candidate })),
    budgetMs * PART.threads,
  );
  const threaded = best;
  const spins = best.threads === 1 ? [DEFAULT_SPIN_US] : SPIN_CANDIDATES_US;
  await compare(
    'spinning',
    spins.map((spinUs) => ({ ...threaded, spinUs })),
    budgetMs * PART.spinning,
  );

  onProgress('measuring prompt chunks and slots');
  await using model = await parts.open(best);
  /** One model, asked in turns. */
  const sweep = async (
    candidates: readonly number[],
    partMs: number,
    speed: (one: number, slice: { sliceMs: number }) => Promise<number>,
  ) => {
    const endAtMs = now() + partMs;
    const sliceMs = Math.min(400, partMs / candidates.length / 4);
    const samples = candidates.map(() => [] as number[]);
    for (let round = 0; round < MOST_ROUNDS && (round === 0 || now() < endAtMs); round += 1) {
      for (const [index, candidate] of candidates.entries()) {
        if (now() >= endAtMs && round > 0) break;
        samples[index]?.push(await speed(candidate, { sliceMs }));
      }
    }
    return samples.map(median);
  };
  const chunkSpeeds = await sweep(CHUNK_CANDIDATES, budgetMs * PART.chunk, (tokens, slice) =>
    model.prefill(tokens, slice),
  );
  const prefillChunkTokens = CHUNK_CANDIDATES[firstNearly(chunkSpeeds, NEARLY_ALL_PREFILL)] ?? DEFAULT_PREFILL_CHUNK;
  for (const [index, tokens] of CHUNK_CANDIDATES.entries()) {
    const speeds = { prefill: chunkSpeeds[index] ?? 0 };
    rows.push({
      setting: 'prefill chunk',
      candidate: `${tokens} tokens`,
      speeds,
      chosen: tokens === prefillChunkTokens,
    });
  }
  const slotSpeeds = await sweep(SLOT_CANDIDATES, budgetMs * PART.slots, (count, slice) => model.decode(count, slice));
  const slots = SLOT_CANDIDATES[firstNearly(slotSpeeds, NEARLY_ALL_DECODE)] ?? MOST_ROWS;
  for (const [index, count] of SLOT_CANDIDATES.entries()) {
    const speeds = { decode: slotSpeeds[index] ?? 0 };
    rows.push({ setting: 'slots', candidate: String(count), speeds, chosen: count === slots });
  }
  return { rows, best: { ...best, prefillChunkTokens, slots } };
}

/** Geometric mean of how many times as fast it is; 0 where it was not measured. */
function scoreOf(speeds: Readonly<Record<string, number>>, others: Readonly<Record<string, number>>): number {
  const ratios = Object.entries(others).map(([name, other]) => (speeds[name] ?? 0) / other);
  return ratios.length === 0 ? 1 : ratios.reduce((product, ratio) => product * ratio, 1) ** (1 / ratios.length);
}

/** Index of the first, and so smallest, candidate with nearly the most. */
function firstNearly(speeds: readonly number[], part: number): number {
  const enough = part * Math.max(...speeds);
  return speeds.findIndex((speed) => speed >= enough);
}

function threadsText({ threads, cpus }: EngineSettings): string {
  return cpus === null ? String(threads) : `${threads} on ${cpus.join(',')}`;
}

function spinText({ spinUs }: EngineSettings): string {
  return spinUs === 0 ? 'none' : `${spinUs} µs`;
}
