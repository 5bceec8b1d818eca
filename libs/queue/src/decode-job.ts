import { GenerateJob, JOB_VERSION, OLDEST_JOB_VERSION } from '#contracts';
import { JobRefusedError } from './job-refused-error.ts';

/**
 * Reads a job of this version or the one before.
 * @throws JobRefusedError naming the version or the fields that can not be read
 */
export function decodeJob(jobId: string, data: unknown): GenerateJob {
  const fields: Record<string, unknown> = typeof data === 'object' && data !== null ? { ...data } : {};
  const { version } = fields;
  if (version !== JOB_VERSION && version !== OLDEST_JOB_VERSION) {
    throw new JobRefusedError(
      jobId,
      `its version is ${JSON.stringify(version)}, this worker reads ${OLDEST_JOB_VERSION} to ${JOB_VERSION}. ` +
        'Run workers and API replicas of one release or of two that follow each other.',
    );
  }
  const unknown = requiredOf(fields).filter((field) => !(field in GenerateJob.shape));
  if (unknown.length > 0) {
    throw new JobRefusedError(
      jobId,
      `it requires ${unknown.join(', ')}, which this release does not know. Upgrade workers.`,
    );
  }
  const result = GenerateJob.safeParse({ ...fields, version: JOB_VERSION });
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'the job'}: ${issue.message}`);
  throw new JobRefusedError(jobId, `${problems.slice(0, 5).join('; ')}. It was not written by Millrace's API.`);
}

/** Version 1 has no list: whatever is in it is required. */
function requiredOf({ version, requires, ...fields }: Record<string, unknown>): string[] {
  return version === JOB_VERSION ? (Array.isArray(requires) ? requires.map(String) : []) : Object.keys(fields);
}
