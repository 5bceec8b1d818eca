import { describe, expect, it } from 'vitest';
import { GenerateJob, JOB_VERSION, OLDEST_JOB_VERSION } from '#contracts';
import { generateJob } from '../../../test/support/generate-job.ts';
import { JobV1 } from '../../../test/support/previous-release/job-v1.ts';
import { decodeJob } from './decode-job.ts';
import { encodeJob } from './encode-job.ts';
import { servedModels } from './served-models.ts';

const overJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const constrained = generateJob({ constraint: { type: 'json_object' } });

describe.each([OLDEST_JOB_VERSION, JOB_VERSION])('a job written in version %i', (version) => {
  it.each([
    ['free', generateJob()],
    ['constrained', constrained],
  ])('is read by this release as it was (%s)', (_, job) => {
    expect(decodeJob('id', overJson(encodeJob(job, version)))).toEqual(job);
  });
});

describe('a worker of the previous release', () => {
  it.each([
    ['free', generateJob()],
    ['constrained', constrained],
  ])('reads what is written for it (%s)', (_, job) => {
    const read = JobV1.parse(overJson(encodeJob(job, 1)));
    expect({ ...read, version: JOB_VERSION }).toEqual(job);
  });

  it('is written for in its version also where a field has come since', () => {
    const job = { ...generateJob(), aFieldOfTomorrow: 1 };
    expect(JobV1.safeParse(overJson(encodeJob(job, 1))).success).toBe(true);
  });
});

describe('a job of the next release', () => {
  const job = generateJob();
  const next = { ...encodeJob(job, JOB_VERSION), aFieldOfTomorrow: { x: 1 } };

  it('is read as long as it requires nothing that is not known', () => {
    expect(decodeJob('id', overJson(next))).toEqual(job);
  });

  it('requires what would change the answer if it were passed over', () => {
    const limited = generateJob({ tokenLimits: { allowed: [1] } });
    expect(encodeJob(limited, JOB_VERSION)).toMatchObject({ requires: ['tokenLimits'] });
    expect(JobV1.safeParse(overJson(encodeJob(limited, 1))).success).toBe(false);
  });

  it('is refused when it does, or when its version was raised twice', () => {
    expect(() => decodeJob('id', overJson({ ...next, requires: ['aFieldOfTomorrow'] }))).toThrow(
      /requires aFieldOfTomorrow/,
    );
    expect(() => decodeJob('id', { ...next, version: JOB_VERSION + 1 })).toThrow(
      /version is 3, this worker reads 1 to 2/,
    );
  });
});

it('jobs of the previous release are strict: a field that is not known is refused', () => {
  expect(() => decodeJob('id', overJson({ ...encodeJob(generateJob(), 1), surprise: 1 }))).toThrow(/requires surprise/);
});

it('every field of a job is either known to version 1, or can be left out for it', () => {
  const required = Object.entries(GenerateJob.shape).filter(([, field]) => !field.safeParse(undefined).success);
  const old = encodeJob(generateJob(), 1);
  for (const [name] of required) expect(old).toHaveProperty(name);
});

it('the oldest worker of a model says in which version its jobs are written', () => {
  const worker = (workerId: string, jobVersion?: number) => ({
    workerId,
    state: 'ready' as const,
    models: [{ model: 'm', cardHash: 'c', slots: 1, running: 0, waiting: 0 }],
    ...(jobVersion !== undefined && { jobVersion }),
    startedAtMs: 0,
    beatAtMs: 0,
  });
  expect(servedModels([worker('a', 2), worker('b')])[0]?.jobVersion).toBe(1);
  expect(servedModels([worker('a', 2), worker('b', 2)])[0]?.jobVersion).toBe(2);
  expect(servedModels([worker('a', 7)])[0]?.jobVersion).toBe(JOB_VERSION);
});
