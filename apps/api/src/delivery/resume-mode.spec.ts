import { describe, expect, it } from 'vitest';
import { resumeModeOf } from './resume-mode.ts';

describe('x-millrace-resume', () => {
  it('says how a lost request goes on, and nothing when it is not there', () => {
    expect([resumeModeOf({}), resumeModeOf({ 'x-millrace-resume': 'fast' })]).toEqual([null, 'fast']);
    expect(resumeModeOf({ 'x-millrace-resume': 'exact' })).toBe('exact');
  });

  it.each([['quick'], [''], [['fast', 'fast']]])('is refused as %j', (mode) => {
    expect(() => resumeModeOf({ 'x-millrace-resume': mode })).toThrow(/must be exact or fast/);
  });
});
