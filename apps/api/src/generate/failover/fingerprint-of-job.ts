import { createHash } from 'node:crypto';
import type { GenerateJob } from '#contracts';

/** The same for two requests that ask a worker for the same, whoever sends them; it tells nothing of the text. */
export function fingerprintOfJob(job: GenerateJob): string {
  const { model, promptTokenIds, choices, sampling, stop, constraint, topLogprobs } = job;
  // A seed that nobody gave is another one each time.
  const asked = [model, promptTokenIds, choices, { ...sampling, seed: 0 }, stop, constraint ?? null, topLogprobs];
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex');
}
