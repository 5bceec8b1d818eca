import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArrayTexts } from '../dialects/chat-answer/array-texts.ts';
import { holdsTexts, jsonInPieces } from './json-in-pieces.ts';

describe('jsonInPieces', () => {
  it('makes what JSON.stringify makes of the same data, however the elements came', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.array(fc.array(fc.jsonValue(), { maxLength: 3 }), { maxLength: 4 }),
        (other, batches) => {
          const texts = new ArrayTexts();
          for (const batch of batches) texts.add(batch);
          const shape = (content: unknown) => ({
            other,
            none: undefined,
            choices: [
              { index: 0, logprobs: { content, refusal: null } },
              { other, logprobs: { content } },
            ],
          });
          const told = [...jsonInPieces(shape(texts))].join('');
          expect(told).toBe(JSON.stringify(shape(batches.flat())));
          expect(told).toBe(JSON.stringify(shape(texts)));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('knows where there is no text yet', () => {
    expect(holdsTexts({ choices: [{ message: { content: 'a' }, logprobs: null }] })).toBe(false);
    expect(holdsTexts({ choices: [{ logprobs: { content: new ArrayTexts() } }] })).toBe(true);
  });
});
