import { describe, expect, it } from 'vitest';
import { partOfComment, partsOfEvent } from './answer-part.ts';

const chunk = (choices: object[], usage?: object) => JSON.stringify({ id: 'c', choices, usage });

describe('parts of an answer', () => {
  it('are reasoning, content and why it ended', () => {
    expect(partsOfEvent(chunk([{ delta: { role: 'assistant', content: '' }, finish_reason: null }]))).toEqual([]);
    expect(partsOfEvent(chunk([{ delta: { reasoning_content: 'Hm' }, finish_reason: null }]))).toEqual([
      { kind: 'reasoning', text: 'Hm' },
    ]);
    expect(partsOfEvent(chunk([{ delta: { content: 'Hi' }, finish_reason: 'stop' }]))).toEqual([
      { kind: 'content', text: 'Hi' },
      { kind: 'finish', reason: 'stop' },
    ]);
  });

  it('are its usage, also where no cached tokens are told', () => {
    const usage = { prompt_tokens: 9, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 4 } };
    const part = { kind: 'usage', promptTokens: 9, completionTokens: 2 };
    expect(partsOfEvent(chunk([], usage))).toEqual([{ ...part, cachedTokens: 4 }]);
    expect(partsOfEvent(chunk([], { ...usage, prompt_tokens_details: null }))).toEqual([
      { ...part, cachedTokens: null },
    ]);
  });

  it('are its place in the queue, and that its prompt is read', () => {
    expect(partOfComment(' queued position=3 eta_ms=1200')).toEqual({ kind: 'queued', position: 3, waitMs: 1_200 });
    expect(partOfComment('queued')).toEqual({ kind: 'queued', position: null, waitMs: null });
    expect(partOfComment('prefill')).toEqual({ kind: 'prefill' });
    expect(partOfComment('keepalive')).toBeNull();
  });
});
