import { quantile } from './quantile.ts';
import { isGood, type Objective, type ServedRequest } from './served-request.ts';

/** How a figure is spread over requests or tokens, in ms; null where there is none. */
export interface Spread {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly most: number;
}

/** What came of a replay. */
export interface ReplayReport {
  /** From the first request to the end of the last answer. */
  readonly seconds: number;
  readonly sent: number;
  readonly requestsPerSecond: number;
  /** How late the client itself was: where this is not small, its machine is what was measured. */
  readonly sentLate: Spread | null;
  /** Whole answers. */
  readonly answered: number;
  /** By the code of the refusal. */
  readonly refused: Readonly<Record<string, number>>;
  /** Begun and broken off, by code; `unfinished` where the answer was not waited for any longer. */
  readonly broken: Readonly<Record<string, number>>;
  /** To the first token. */
  readonly firstToken: Spread | null;
  readonly betweenTokens: Spread | null;
  /** To the last token of whole answers. */
  readonly endToEnd: Spread | null;
  /** Until a worker took the request, by the server's record; null where it keeps none. */
  readonly queued: Spread | null;
  readonly goodput: {
    readonly objective: Objective;
    readonly requests: number;
    /** Of all that were sent. */
    readonly share: number;
    readonly requestsPerSecond: number;
  };
  readonly tokens: {
    /** That prompts of answered requests were to have, and had. */
    readonly promptAsked: number;
    readonly prompt: number;
    /** Of `prompt`, not computed anew. */
    readonly cached: number;
    readonly answer: number;
    readonly promptPerSecond: number;
    readonly answerPerSecond: number;
  };
}

export interface ReplayOutcome {
  readonly beganMs: number;
  /** In the order of `promptTokens`. */
  readonly served: readonly ServedRequest[];
  /** What each prompt was to have. */
  readonly promptTokens: readonly number[];
  readonly lateMs: readonly number[];
  readonly queuedMs: readonly number[];
}

export function replayReport(outcome: ReplayOutcome, objective: Objective): ReplayReport {
  const { beganMs, served, promptTokens, lateMs, queuedMs } = outcome;
  const endMs = served.reduce((last, { endedMs }) => Math.max(last, endedMs), beganMs);
  const seconds = (endMs - beganMs) / 1_000;
  const perSecond = (count: number) => (seconds > 0 ? count / seconds : 0);
  const whole = served.filter((request) => request.whole);
  const good = served.filter((request) => isGood(request, objective)).length;
  const counted = served.flatMap(({ usage }, index) => (usage === null ? [] : [{ usage, index }]));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const prompt = sum(counted.map(({ usage }) => usage.promptTokens));
  const answer = sum(counted.map(({ usage }) => usage.answerTokens));
  return {
    seconds,
    sent: served.length,
    requestsPerSecond: perSecond(served.length),
    sentLate: spread(lateMs),
    answered: whole.length,
    refused: countsOf(served.filter(({ status }) => status !== 200 && status !== 0)),
    broken: countsOf(served.filter((request) => !request.whole && [0, 200].includes(request.status))),
    firstToken: spread(served.flatMap(({ firstTokenMs }) => (firstTokenMs === null ? [] : [firstTokenMs]))),
    betweenTokens: spread(served.flatMap(({ gapsMs }) => gapsMs)),
    endToEnd: spread(whole.flatMap(({ lastTokenMs }) => (lastTokenMs === null ? [] : [lastTokenMs]))),
    queued: spread(queuedMs),
    goodput: {
      objective,
      requests: good,
      share: served.length === 0 ? 0 : good / served.length,
      requestsPerSecond: perSecond(good),
    },
    tokens: {
      promptAsked: sum(counted.map(({ index }) => promptTokens[index] ?? 0)),
      prompt,
      cached: sum(counted.map(({ usage }) => usage.cachedTokens)),
      answer,
      promptPerSecond: perSecond(prompt),
      answerPerSecond: perSecond(answer),
    },
  };
}

function countsOf(requests: readonly ServedRequest[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code, status } of requests) {
    const name = code ?? (status === 0 ? 'no_answer' : 'unfinished');
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function spread(samples: readonly number[]): Spread | null {
  if (samples.length === 0) return null;
  const sorted = [...samples].sort((one, other) => one - other);
  const at = (share: number) => quantile(sorted, share);
  const mean = samples.reduce((total, sample) => total + sample, 0) / samples.length;
  return { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), most: at(1) };
}
