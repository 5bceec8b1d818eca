import { describe, expect, it } from 'vitest';
import { settingsProblems, usableSettings } from './check-settings.ts';

describe('settingsProblems', () => {
  it('finds nothing wrong with nothing set, nor with what `up` makes itself', () => {
    expect(settingsProblems({})).toEqual([]);
    expect(settingsProblems({ MILLRACE_RELAY_TOKEN: 'short' })).toEqual([]);
  });

  it('names what is wrong for the API, for the worker and for both, at once and each once', () => {
    const environment = {
      MILLRACE_SLOTS: '0',
      MILLRACE_LEASE_MS: '5',
      MILLRACE_HTTP_PORT: 'x',
      MILLRACE_LOG_LEVEL: 'y',
    };
    const problems = settingsProblems(environment);
    expect(problems.map((problem) => problem.split(' ', 1)[0]).sort()).toEqual([
      ...['MILLRACE_HTTP_PORT', 'MILLRACE_LEASE_MS', 'MILLRACE_LOG_LEVEL', 'MILLRACE_SLOTS'],
    ]);
  });

  it('leaves the rest usable, so that it is looked at as well', () => {
    const environment = { MILLRACE_HTTP_PORT: 'x', MILLRACE_DEV_KEY_FILE: '/nowhere', MILLRACE_MODEL: 'mine' };
    expect(usableSettings(environment)).toMatchObject({
      MILLRACE_HTTP_PORT: 8000,
      MILLRACE_MODEL: [{ folder: 'mine' }],
    });
  });
});
