import type { GenerateJob } from '#contracts';
import type { EngineRequest, ResumedChoice } from '#engine';

/** Whose requests share what the prefix cache keeps of their prompts. */
export type PrefixSharing = 'tenant' | 'all';

/** @param resume what earlier attempts delivered of each choice; null at the first */
export function engineRequestOf(
  job: GenerateJob,
  resume: readonly ResumedChoice[] | null,
  sharing: PrefixSharing,
): EngineRequest {
  const { requestId, epoch, tenantId, weight, choices, sampling, stop, constraint, topLogprobs } = job;
  return {
    requestId,
    epoch,
    tenantId,
    weight: weight ?? 1,
    cacheScope: JSON.stringify([sharing === 'tenant' ? tenantId : null, job.cacheSalt ?? null]),
    promptTokenIds: Int32Array.from(job.promptTokenIds),
    continuesText: job.continuesText === true,
    choices,
    sampling,
    stop,
    constraint: constraint ?? null,
    tokenLimits: job.tokenLimits ?? null,
    topLogprobs,
    resume,
    resumeFast: job.resume === 'fast',
    whole: job.whole === true,
  };
}
