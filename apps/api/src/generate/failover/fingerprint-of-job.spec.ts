import { describe, expect, it } from 'vitest';
import { generateJob } from '../../../../../test/support/generate-job.ts';
import { fingerprintOfJob } from './fingerprint-of-job.ts';

const { sampling } = generateJob();

describe('the fingerprint of a job', () => {
  it('is the same for the same request sent again', () => {
    const again = generateJob({ requestId: 'other', epoch: 3, tenantId: 'other', sampling: { ...sampling, seed: 9 } });
    expect(fingerprintOfJob(again)).toBe(fingerprintOfJob(generateJob()));
  });

  it.each([{ promptTokenIds: [9] }, { choices: 2 }, { constraint: { type: 'json_object' as const } }])(
    'is another one for %j',
    (change) => {
      expect(fingerprintOfJob(generateJob(change))).not.toBe(fingerprintOfJob(generateJob()));
    },
  );
});
