import type { GenerateJob } from '#contracts';
import type { EngineRequest, ResumedChoice } from '#engine';

/** @param resume what earlier attempts delivered of each choice; null at the first */
export function engineRequestOf(job: GenerateJob, resume: readonly ResumedChoice[] | null): EngineRequest {
  const { requestId, epoch, tenantId, weight, choices, sampling, stop, constraint, topLogprobs } = job;
  return {
    requestId,
    epoch,
    tenantId,
    weight: weight ?? 1,
    promptTokenIds: Int32Array.from(job.promptTokenIds),
    choices,
    sampling,
    stop,
    constraint: constraint ?? null,
    topLogprobs,
    resume,
  };
}
