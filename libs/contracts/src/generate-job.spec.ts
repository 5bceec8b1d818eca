import { describe, expect, it } from 'vitest';
import { GenerateJob, GREEDY, JOB_VERSION } from '#contracts';

const job: GenerateJob = {
  version: JOB_VERSION,
  requestId: 'request-1',
  epoch: 1,
  model: 'tiny',
  cardHash: 'abc',
  tenantId: 'dev',
  promptTokenIds: [1, 2, 3],
  choices: 1,
  sampling: GREEDY,
  stop: { tokenIds: [0], strings: [], maxTokens: 8 },
  topLogprobs: null,
  relayAddress: '127.0.0.1:9000',
  replicaId: 'api-1',
  enqueuedAtMs: 0,
  deadlineMs: null,
  traceparent: null,
};

describe('GenerateJob', () => {
  it('survives the trip through JSON unchanged', () => {
    expect(GenerateJob.parse(JSON.parse(JSON.stringify(job)))).toEqual(job);
  });

  it('loses fields that this release does not know', () => {
    expect(GenerateJob.parse({ ...job, surprise: true })).toEqual(job);
  });

  it.each([
    ['an empty prompt', { promptTokenIds: [] }],
    ['epoch 0', { epoch: 0 }],
    ['another version', { version: JOB_VERSION + 1 }],
  ])('refuses %s', (_, change) => {
    expect(GenerateJob.safeParse({ ...job, ...change }).success).toBe(false);
  });
});
