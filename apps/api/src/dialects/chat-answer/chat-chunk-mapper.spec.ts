import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerHeading as heading } from '../../../../../test/support/answer-heading.ts';
import { DIALECTS } from '../dialects.ts';

const body = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], stream: true };
const usage = { promptTokens: 3, completionTokens: 2, cachedPromptTokens: 1, reasoningTokens: 1 };
const NO_TOKENS = { ids: [], logprobs: [] };
const end = { reason: 'stop' as const, stopString: null };

interface Chunk {
  readonly choices: readonly {
    index: number;
    delta: { role?: string; content?: string };
    finish_reason: string | null;
  }[];
}

interface TokenChunk {
  readonly prompt_token_ids?: readonly number[];
  readonly choices: readonly [{ index: number; delta: { role?: string }; token_ids?: readonly number[] }];
}

describe.each(DIALECTS.filter((dialect) => dialect.chunks !== null))('the chunks of $name', (dialect) => {
  it('join to the text of each choice however the pieces fall, between one role and one finish reason', () => {
    const pieces = fc.array(fc.record({ choice: fc.nat(2), text: fc.string({ unit: 'grapheme' }) }));
    fc.assert(
      fc.property(pieces, fc.shuffledSubarray([0, 1, 2], { minLength: 3 }), (all, ends) => {
        const mapper = dialect.chunks?.(heading, dialect.parse({ ...body, n: 3 }));
        if (mapper === undefined) return;
        const events = [
          ...all.flatMap(({ choice, text }) => mapper.output(choice, [{ type: 'content', text }], NO_TOKENS, usage)),
          ...ends.flatMap((choice) => mapper.choiceFinished(choice, end, usage)),
          ...mapper.ended(usage),
        ];
        for (const event of events) expect(dialect.schemas.chunk?.schema.parse(event)).toEqual(event);
        for (const index of [0, 1, 2]) {
          const parts = (events as Chunk[]).flatMap((chunk) => chunk.choices.filter((part) => part.index === index));
          const expected = all.filter(({ choice }) => choice === index).map(({ text }) => text);
          expect(parts.map((part) => part.delta.content ?? '').join('')).toBe(expected.join(''));
          expect(parts.map((part) => part.delta.role)).toEqual(['assistant', ...parts.slice(1).map(() => undefined)]);
          expect(parts.map((part) => part.finish_reason)).toEqual([...parts.slice(1).map(() => null), 'stop']);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('have every token id once, also of tokens without text, and the prompt’s with the first of each choice', () => {
    const mapper = dialect.chunks?.({ ...heading, promptTokenIds: [7, 8, 9] }, dialect.parse({ ...body, n: 2 }));
    if (mapper === undefined) return;
    const text = (content: string) => ({ type: 'content' as const, text: content });
    const events = [
      ...mapper.output(0, [], { ids: [1], logprobs: [] }, usage),
      ...mapper.output(1, [text('b')], { ids: [5], logprobs: [] }, usage),
      ...mapper.output(0, [{ type: 'reasoning', text: 'r' }, text('a')], { ids: [2, 3], logprobs: [] }, usage),
      ...mapper.output(0, [text('rest')], NO_TOKENS, usage),
      ...[0, 1].flatMap((choice) => mapper.choiceFinished(choice, end, usage)),
    ];
    for (const event of events) expect(dialect.schemas.chunk?.schema.parse(event)).toEqual(event);
    const told = (events as TokenChunk[]).map((chunk) => {
      const [choice] = chunk.choices;
      return [choice.index, choice.delta.role ?? null, chunk.prompt_token_ids ?? null, choice.token_ids ?? null];
    });
    expect(told).toEqual([
      [0, 'assistant', [7, 8, 9], null],
      [0, null, null, [1]],
      [1, 'assistant', [7, 8, 9], null],
      [1, null, null, [5]],
      [0, null, null, [2, 3]],
      [0, null, null, null],
      [0, null, null, null],
      [0, null, null, null],
      [1, null, null, null],
    ]);
  });

  it('tell the usage when and where it was asked for', () => {
    const usages = (options: object) => {
      const mapper = dialect.chunks?.(heading, dialect.parse({ ...body, stream_options: options }));
      const events = [
        ...(mapper?.output(0, [{ type: 'content', text: 'a' }], NO_TOKENS, usage) ?? []),
        ...(mapper?.ended(usage) ?? []),
      ];
      return events.map((event) => (event as { usage?: { total_tokens: number } | null }).usage?.total_tokens ?? null);
    };
    expect(usages({})).toEqual([null, null]);
    expect(usages({ include_usage: true })).toEqual([null, null, 5]);
    expect(usages({ include_usage: true, continuous_usage_stats: true })).toEqual([5, 5, 5]);
  });
});
