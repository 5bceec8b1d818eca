import { GenerateJob, JOB_VERSION } from '#contracts';
import { JobRefusedError } from './job-refused-error.ts';

/** @throws JobRefusedError naming the version or the fields that can not be read */
export function decodeJob(jobId: string, data: unknown): GenerateJob {
  const version = typeof data === 'object' && data !== null && 'version' in data ? data.version : undefined;
  if (version !== JOB_VERSION) {
    throw new JobRefusedError(
      jobId,
      `its version is ${JSON.stringify(version)}, this worker reads ${JOB_VERSION}. Upgrade workers before API replicas.`,
    );
  }
  const result = GenerateJob.safeParse(data);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'the job'}: ${issue.message}`);
  throw new JobRefusedError(jobId, `${problems.slice(0, 5).join('; ')}. It was not written by Millrace's API.`);
}
