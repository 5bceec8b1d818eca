import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopStrings } from './stop-strings.ts';

function run(
  stops: readonly string[],
  pieces: readonly string[],
  showsMatch = false,
): { shown: string; matched: string | null } {
  const stopStrings = new StopStrings(stops, showsMatch);
  let shown = pieces.map((piece) => stopStrings.push(piece)).join('');
  if (stopStrings.matched === null) shown += stopStrings.flush();
  return { shown, matched: stopStrings.matched };
}

/** Character by character, the definition: stop where a stop string is first complete. */
function expected(stops: readonly string[], text: string): { shown: string; matched: string | null } {
  for (let end = 1; end <= text.length; end++) {
    const matches = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    if (matches.length === 0) continue;
    const matched = matches.reduce((longest, stop) => (stop.length > longest.length ? stop : longest));
    return { shown: text.slice(0, end - matched.length), matched };
  }
  return { shown: text, matched: null };
}

describe('StopStrings', () => {
  it('ends at the first complete stop string however the text is cut, and shows all before it, and itself where it may', () => {
    const unit = fc.constantFrom('a', 'b', 'é', '😀');
    const stops = fc.array(fc.string({ unit, minLength: 1, maxLength: 4 }), { maxLength: 3 });
    fc.assert(
      fc.property(stops, fc.array(fc.string({ unit, maxLength: 4 }), { maxLength: 8 }), (strings, pieces) => {
        const { shown, matched } = expected(strings, pieces.join(''));
        expect(run(strings, pieces)).toEqual({ shown, matched });
        expect(run(strings, pieces, true)).toEqual({ shown: shown + (matched ?? ''), matched });
      }),
      { numRuns: 3_000 },
    );
  });

  it('never shows a part of a stop string before it is clear that it is none', () => {
    const stopStrings = new StopStrings(['\n\nUser:']);
    expect(stopStrings.push('yes\n')).toBe('yes');
    expect(stopStrings.push('\nUse')).toBe('');
    expect(stopStrings.push('d')).toBe('\n\nUsed');
    expect(stopStrings.push('\n\nUser')).toBe('');
    expect(stopStrings.push(': no')).toBe('');
    expect(stopStrings.matched).toBe('\n\nUser:');
    expect(stopStrings.push('more')).toBe('');
  });

  it('does not match half of a character', () => {
    expect(run(['\ude00'], ['😀'])).toEqual({ shown: '😀', matched: null });
  });
});
