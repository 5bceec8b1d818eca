import { type GenerateJob, GREEDY, JOB_VERSION } from '#contracts';
import { decodeJob } from '#queue';
import { warmUpRelay } from '#relay';

const RELAY_ROUNDS = 3;

const JOB: GenerateJob = {
  version: JOB_VERSION,
  ...{ requestId: 'warm-up', epoch: 1, tenantId: 'none', traceparent: null },
  ...{ model: 'none', cardHash: 'none', promptTokenIds: [1, 2, 3], choices: 1, topLogprobs: null },
  sampling: { ...GREEDY },
  stop: { tokenIds: [], strings: [], maxTokens: 8 },
  ...{ relayAddress: 'none', replicaId: 'none', enqueuedAtMs: 0, deadlineMs: null },
};

/** Runs the code that the first job of a process would have its client wait for: reads a job, and sends answers over a relay of its own. */
export async function warmUpJobs(): Promise<void> {
  decodeJob('warm-up', { ...JOB, requires: [] });
  await warmUpRelay(RELAY_ROUNDS);
}
