import { readFileSync } from 'node:fs';

/** Requests that arrived within one interval of a recorded trace. */
interface Interval {
  readonly index: number;
  readonly requests: number;
  readonly contextTokens: number;
  readonly generatedTokens: number;
}

/** Recorded traffic in intervals; `contextTokens` and `generatedTokens` are sums over an interval. */
export interface RecordedTrace {
  readonly intervalMs: number;
  readonly durationMs: number;
  readonly intervals: readonly Interval[];
}

/** Reads a file that `make-trace.ts` wrote. */
export function recordedTrace(name: 'conversation' | 'code'): RecordedTrace {
  const text = readFileSync(new URL(`./${name}.csv`, import.meta.url), 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(',').map(Number));
  const intervals = rows.map(([index = 0, requests = 0, contextTokens = 0, generatedTokens = 0]) => ({
    index,
    requests,
    contextTokens,
    generatedTokens,
  }));
  const intervalMs = 5_000;
  return { intervalMs, durationMs: ((intervals.at(-1)?.index ?? 0) + 1) * intervalMs, intervals };
}
