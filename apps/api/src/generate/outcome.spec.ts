import { describe, expect, it } from 'vitest';
import { type ErrorCode, MillraceError } from '#contracts';
import type { Answer } from './answer.ts';
import { chargedUsage } from './outcome.ts';

const USAGE = { promptTokens: 20, completionTokens: 5, cachedPromptTokens: 0 };
const NOTHING = { promptTokens: 0, completionTokens: 0, cachedPromptTokens: 0 };

function charged(code: ErrorCode | null, whole: boolean, usage = USAGE, state: Answer['state'] = 'failed') {
  const failure = code === null ? null : new MillraceError(code, 'It is over.');
  return chargedUsage({ state, failure, usage }, whole);
}

describe('chargedUsage', () => {
  it('is what was made of an answer that ended, or that its client left', () => {
    expect(charged(null, true, USAGE, 'ended')).toEqual(USAGE);
    expect(charged(null, true, USAGE, 'abandoned')).toEqual(USAGE);
    expect(charged('request_cancelled', true)).toEqual(USAGE);
    expect(charged('deadline_exceeded', true)).toEqual(USAGE);
  });

  it.each(['engine_failed', 'worker_lost', 'attempts_exhausted', 'unavailable'] as const)(
    'is what was delivered of one that failed here by %s: nothing, where it is sent whole',
    (code) => {
      expect(charged(code, true)).toEqual(NOTHING);
      expect(charged(code, false)).toEqual(USAGE);
      expect(charged(code, false, { ...USAGE, completionTokens: 0 })).toEqual(NOTHING);
    },
  );
});
