import { type GenerateJob, GREEDY, JOB_VERSION } from '#contracts';

/** A complete job for tests; give what the test is about. */
export function generateJob(overrides: Partial<GenerateJob> = {}): GenerateJob {
  return {
    version: JOB_VERSION,
    requestId: 'request-1',
    epoch: 1,
    model: 'test-model',
    cardHash: 'none',
    tenantId: 'tenant',
    promptTokenIds: [1, 2, 3],
    choices: 1,
    sampling: { ...GREEDY },
    stop: { tokenIds: [], strings: [], maxTokens: 8 },
    topLogprobs: null,
    relayAddress: '127.0.0.1:1',
    replicaId: 'replica',
    enqueuedAtMs: Date.now(),
    deadlineMs: null,
    traceparent: null,
    ...overrides,
  };
}
