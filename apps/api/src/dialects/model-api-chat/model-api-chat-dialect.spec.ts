import { describe, expect, it } from 'vitest';
import { answerHeading as heading } from '../../../../../test/support/answer-heading.ts';
import { MODEL_API_CHAT } from './model-api-chat-dialect.ts';

const body = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] };
const usage = { promptTokens: 3, completionTokens: 2, cachedPromptTokens: 1, reasoningTokens: 0 };

describe('the model-api-chat dialect', () => {
  it('fills its document’s defaults', () => {
    expect(MODEL_API_CHAT.parse(body).request).toMatchObject({
      sampling: { temperature: 0.7, topP: 0.7, presencePenalty: 0, frequencyPenalty: 0 },
      maxTokens: 200,
      maxTokensField: null,
      stopStrings: [],
    });
  });

  it.each([
    [{ temperature: 0 }, { sampling: { temperature: 0 } }],
    [{ temperature: 1 }, { sampling: { temperature: 1 } }],
    [{ top_p: 1 }, { sampling: { topP: 1 } }],
    [{ max_tokens: 4_096 }, { maxTokens: 4_096, maxTokensField: 'max_tokens' }],
    [{ stop: 'END' }, { stopStrings: ['END'] }],
  ])('takes %j', (change, request) => {
    expect(MODEL_API_CHAT.parse({ ...body, ...change }).request).toMatchObject(request);
  });

  it.each([
    [{ temperature: 1.01 }, /at most 1\./],
    [{ max_tokens: 4_097 }, /at most 4096\./],
    [{ max_completion_tokens: 5_000 }, /at most 4096\./],
    [{ tools: [{ type: 'custom', custom: { name: 'f' } }] }, /tools\[0\]\.type is "custom"\. It must be "function"/],
  ])('refuses %j', (change, message) => {
    expect(() => MODEL_API_CHAT.parse({ ...body, ...change })).toThrow(message);
  });

  it('answers in its documents’ words', () => {
    const end = { reason: 'stop' as const, stopString: '\n' };
    const answer = MODEL_API_CHAT.completion(
      heading,
      [{ content: 'Hello', reasoning: '', calls: [], logprobs: null, tokenIds: null, end }],
      usage,
    );
    expect(answer).toEqual({
      id: 'cmpl-abc',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'tiny',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello', tool_calls: [] },
          logprobs: null,
          finish_reason: 'stop',
          stop_reason: '\n',
        },
      ],
      usage: { prompt_tokens: 3, total_tokens: 5, completion_tokens: 2 },
    });
    expect(MODEL_API_CHAT.schemas.completion.schema.parse(answer)).toEqual(answer);
  });

  it('has no stop reason where the model or the length ended the answer', () => {
    const mapper = MODEL_API_CHAT.chunks?.(heading, MODEL_API_CHAT.parse({ ...body, stream: true }));
    const end = { reason: 'length' as const, stopString: null };
    expect(mapper?.choiceFinished(0, end, usage).at(-1)).toMatchObject({
      id: 'cmpl-abc',
      choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'length', stop_reason: null }],
    });
  });
});
