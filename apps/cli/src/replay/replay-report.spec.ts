import { describe, expect, it } from 'vitest';
import { replayReport } from './replay-report.ts';
import { replayText } from './replay-text.ts';
import type { ServedRequest } from './served-request.ts';

const OBJECTIVE = { firstTokenMs: 100, tokenMs: 10 };
const whole: ServedRequest = {
  status: 200,
  code: null,
  requestId: 'req_1',
  answerTokens: 3,
  firstTokenMs: 50,
  lastTokenMs: 60,
  gapsMs: [4, 6],
  whole: true,
  endedMs: 2_000,
  usage: { promptTokens: 40, cachedTokens: 10, answerTokens: 3 },
};
const none = { firstTokenMs: null, lastTokenMs: null, gapsMs: [], whole: false, usage: null };
const report = replayReport(
  {
    beganMs: 1_000,
    served: [
      whole,
      { ...whole, firstTokenMs: 150, lastTokenMs: 160, endedMs: 3_000 },
      { ...whole, firstTokenMs: 50, lastTokenMs: 80 },
      { ...whole, ...none, status: 429, code: 'queue_full' },
      { ...whole, ...none, code: 'engine_failed' },
      { ...whole, ...none },
      { ...whole, ...none, status: 0, requestId: null },
    ],
    promptTokens: [42, 42, 42, 42, 42, 42, 42],
    lateMs: [0, 0, 1],
    queuedMs: [1, 3],
  },
  OBJECTIVE,
);

describe('replayReport', () => {
  it('tells whole answers from refusals, and these from answers that broke off', () => {
    expect(report).toMatchObject({
      seconds: 2,
      sent: 7,
      answered: 3,
      refused: { queue_full: 1 },
      broken: { engine_failed: 1, unfinished: 1, no_answer: 1 },
    });
  });

  it('takes for good what kept to the objective: the first token, and the time a token', () => {
    expect(report.goodput).toEqual({ objective: OBJECTIVE, requests: 1, share: 1 / 7, requestsPerSecond: 0.5 });
  });

  it('tells times and tokens of what was answered', () => {
    expect(report.firstToken).toMatchObject({ p50: 50, most: 150 });
    expect(report.betweenTokens).toMatchObject({ mean: 5, most: 6 });
    expect(report.endToEnd).toMatchObject({ p50: 80, most: 160 });
    expect(report.queued).toMatchObject({ mean: 2 });
    expect(report.tokens).toEqual({
      promptAsked: 126,
      prompt: 120,
      cached: 30,
      answer: 9,
      promptPerSecond: 60,
      answerPerSecond: 4.5,
    });
  });

  it('is a table for people, without rows that say nothing', () => {
    const text = replayText(report);
    expect(text).toMatch(/^requests +7 in 2\.0 s, 3\.50\/s; 3 answered whole$/m);
    expect(text).toMatch(/^refused +1 queue_full$/m);
    expect(text).toMatch(/^prompt tokens +120 \(126 asked for\), 60\.0\/s; 25\.0 % from the prefix cache$/m);
    expect(text).toMatch(/^first token +83\.3 +50\.0/m);
    const empty = replayReport({ beganMs: 0, served: [], promptTokens: [], lateMs: [], queuedMs: [] }, OBJECTIVE);
    expect(replayText(empty)).not.toMatch(/refused|first token +\d|NaN/);
  });
});
