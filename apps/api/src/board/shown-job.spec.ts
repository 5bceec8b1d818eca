import { describe, expect, it } from 'vitest';
import { shownJob } from './shown-job.ts';

describe('shownJob', () => {
  it('tells whose job it is and how long its prompt, and nothing that a client wrote', () => {
    const data = {
      requestId: 'r1',
      tenantId: 'team-a',
      epoch: 2,
      promptTokenIds: [7, 8, 9],
      stop: { strings: ['a secret'], maxTokens: 4 },
      constraint: { schema: '{"enum":["a secret"]}' },
      addedByALaterRelease: 'a secret',
    };
    expect(shownJob(data)).toEqual({ requestId: 'r1', tenantId: 'team-a', epoch: 2, promptTokens: 3 });
  });

  it.each([null, undefined, 'text', 7])('makes nothing of %s', (data) => {
    expect(shownJob(data)).toEqual({});
  });
});
