import { type GenerateJob, JOB_VERSION, OLDEST_JOB_VERSION } from '#contracts';

/** Fields that change the answer: a reader that does not know one of them must refuse a job that has it. */
const MUST_KNOW = ['constraint', 'tokenLimits'] as const;

/** What readers of version 1 know; they refuse a job with anything else in it. */
const VERSION_1_FIELDS = [
  ...['requestId', 'epoch', 'model', 'cardHash', 'tenantId', 'promptTokenIds', 'choices', 'sampling', 'stop'],
  ...['constraint', 'topLogprobs', 'relayAddress', 'replicaId', 'enqueuedAtMs', 'deadlineMs', 'traceparent'],
] as const;

/**
 * The job as it goes into the queue.
 * @param readableVersion newest version that every worker of the model reads; older ones than this release can write are
 *   written as the oldest that it can
 */
export function encodeJob(job: GenerateJob, readableVersion: number): object {
  if (readableVersion >= JOB_VERSION) {
    return { ...job, requires: MUST_KNOW.filter((field) => job[field] !== undefined) };
  }
  const fields = new Map<string, unknown>(Object.entries(job));
  const known = VERSION_1_FIELDS.filter((field) => fields.get(field) !== undefined);
  const required = MUST_KNOW.filter((field) => fields.get(field) !== undefined);
  return {
    version: OLDEST_JOB_VERSION,
    ...Object.fromEntries([...new Set<string>([...known, ...required])].map((field) => [field, fields.get(field)])),
  };
}
