import { describe, expect, it } from 'vitest';
import type { MillraceError } from '#contracts';
import { GrantBody, LedgerGroup, ListQuery, TenantBody, TenantChange } from './admin-bodies.ts';
import { parseInput } from './parse-input.ts';

function refusalOf(...[schema, input]: Parameters<typeof parseInput>): MillraceError {
  try {
    parseInput(schema, input);
  } catch (error) {
    return error as MillraceError;
  }
  throw new Error('was accepted');
}

describe('parseInput', () => {
  it.each([
    [TenantBody, { weight: 0 }, 'weight', 'weight is 0. It must be at least 0.01.'],
    [TenantBody, { requestsPerMinute: '5' }, 'requestsPerMinute', /is "5"\. It must be of the type integer\./],
    [TenantBody, { credits: 'free' }, 'credits', 'credits is "free". It must be "unlimited" or "metered".'],
    [TenantBody, { weigth: 2 }, 'weigth', /^Unknown parameter: weigth\. Did you mean weight\? Remove it otherwise\.$/],
    [TenantBody, { parameters: { n: 1 } }, 'parameters.n', /Unknown parameter: parameters\.n\./],
    [TenantChange, { colour: 2 }, 'colour', /Unknown parameter: colour\./],
    [TenantBody, null, null, /expected object, received null/],
    [TenantBody, [], null, /expected object, received array/],
    [ListQuery, { limit: '0' }, 'limit', 'limit is "0". It must be at least 1.'],
    [LedgerGroup, 'a b', null, /must be 1 to 64 letters/],
  ] as const)('refuses by %o the input %j, naming field, value and remedy', (schema, input, param, message) => {
    const error = refusalOf(schema, input);
    expect(error).toMatchObject({ code: 'invalid_request', param, message: expect.stringMatching(message) });
  });

  it('names every field that is wrong', () => {
    const { param, message } = refusalOf(GrantBody, { credits: -1 });
    expect(param).toBe('grantId');
    expect(message).toBe('grantId is missing. It must be of the type string. credits is -1. It must be more than 0.');
  });

  it('takes no body for an empty one', () => {
    expect(parseInput(TenantBody, undefined)).toMatchObject({ weight: 1 });
  });
});
