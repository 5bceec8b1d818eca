import type { GenerateJob } from '#contracts';
import type { EngineRequest } from '#engine';

export function engineRequestOf(job: GenerateJob): EngineRequest {
  const { requestId, epoch, choices, sampling, stop, topLogprobs } = job;
  return {
    requestId,
    epoch,
    promptTokenIds: Int32Array.from(job.promptTokenIds),
    choices,
    sampling,
    stop,
    topLogprobs,
  };
}
