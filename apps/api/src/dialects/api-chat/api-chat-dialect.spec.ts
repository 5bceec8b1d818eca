import { describe, expect, it } from 'vitest';
import { MillraceError } from '#contracts';
import { answerHeading as heading } from '../../../../../test/support/answer-heading.ts';
import { JsonBodyError } from '../../body/json-body-error.ts';
import { API_CHAT } from './api-chat-dialect.ts';

const body = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] };
const usage = { promptTokens: 3, completionTokens: 2, cachedPromptTokens: 1, reasoningTokens: 0 };

function statusOf(change: object): number {
  try {
    API_CHAT.parse({ ...body, ...change });
  } catch (error) {
    return API_CHAT.statusOf(error as MillraceError);
  }
  throw new Error('was accepted');
}

describe('the api-chat dialect', () => {
  it.each([
    { model: undefined },
    { model: 5 },
    { messages: [] },
    { messages: 'Hi' },
    { messages: [{ role: 'robot', content: 'a' }] },
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://x' } }] }] },
    { messages: [{ role: 'user', content: 'a', tool_calls: [{}] }] },
    { temperature: '1' },
    { n: 1.5 },
    { stop: 5 },
    { reasoning_effort: 5 },
    { priority: 1 },
    { tool_choice: 5 },
    { tool_choice: { function: { name: 'f' } } },
    { tools: [{ function: { name: 'f' } }] },
    { response_format: {} },
    { metadata: { a: 1 } },
    { colour: 'red' },
    { stream_options: { colour: 'red' } },
  ])('calls %j an invalid format', (change) => expect(statusOf(change)).toBe(400));

  it.each([
    { temperature: 2.1 },
    { top_p: -1 },
    { n: 0 },
    { n: 129 },
    { stop: ['1', '2', '3', '4', '5'] },
    { stop: '' },
    { presence_penalty: 2.5 },
    { max_tokens: 0 },
    { max_completion_tokens: 0 },
    { logprobs: true, top_logprobs: 21 },
    { top_logprobs: 2 },
    { logit_bias: { 5: 101 } },
    { max_tokens: 1, max_completion_tokens: 2 },
    { stream_options: { include_usage: true } },
    { reasoning_effort: 'huge' },
    { tool_choice: 'any' },
    { tools: [{ type: 'custom', function: { name: 'f' } }] },
    { tools: [{ type: 'custom', custom: { name: 'f' } }] },
    { response_format: { type: 'xml' } },
    { best_of: 2 },
    { tool_choice: 'required' },
  ])('calls %j invalid parameters', (change) => expect(statusOf(change)).toBe(422));

  it('takes its document’s example but for the placeholders that stand for nothing', () => {
    const example = {
      model: 'tiny',
      messages: [{ role: 'system', content: 'text', name: 'text' }],
      ...{ max_tokens: 1, max_completion_tokens: 1, temperature: 1, top_p: 1, n: 1, stream: true, stop: 'text' },
      ...{ presence_penalty: 1, frequency_penalty: 1, logit_bias: { 1: 1 }, seed: 1 },
      tools: [
        {
          type: 'function',
          function: {
            name: 'text',
            description: 'text',
            parameters: { type: 'object', properties: { ANY_ADDITIONAL_PROPERTY: 'anything' }, required: ['text'] },
          },
        },
      ],
      tool_choice: 'none',
      response_format: { type: 'text' },
      ...{ logprobs: true, top_logprobs: 1, reasoning_effort: 'minimal' },
    };
    const { request, delivery } = API_CHAT.parse(example);
    expect(request).toMatchObject({ maxTokens: 1, stopStrings: ['text'], topLogprobs: 1, reasoningEffort: 'minimal' });
    expect(delivery.stream).toBe(true);
    for (const [change, param] of [
      [{ logit_bias: { ANY_ADDITIONAL_PROPERTY: 1 } }, 'logit_bias.ANY_ADDITIONAL_PROPERTY'],
      [{ response_format: { type: 'text', json_schema: {} } }, 'response_format.json_schema'],
      [{ messages: [{ role: 'system', content: 'text', tool_call_id: 'text' }] }, 'messages[0].tool_call_id'],
    ] as const) {
      expect(() => API_CHAT.parse({ ...example, ...change })).toThrow(expect.objectContaining({ param }));
    }
  });

  it('leaves every other error its status', () => {
    const status = (code: MillraceError['code'], param?: string) =>
      API_CHAT.statusOf(new MillraceError(code, 'x', param === undefined ? {} : { param }));
    expect(API_CHAT.statusOf(new JsonBodyError('is empty', 'Send one.'))).toBe(400);
    expect(status('context_length_exceeded', 'messages')).toBe(400);
    expect(status('model_not_found', 'model')).toBe(404);
    expect(status('insufficient_credits')).toBe(402);
    expect(status('queue_full')).toBe(429);
    expect(status('internal_error')).toBe(500);
    expect(status('overloaded')).toBe(503);
  });

  it('answers in its document’s words, with log probabilities only where they were asked for', () => {
    const choice = {
      content: 'Hello',
      reasoning: '',
      calls: [],
      logprobs: null,
      tokenIds: null,
      end: { reason: 'stop' as const, stopString: 'x' },
    };
    const answer = API_CHAT.completion(
      { ...heading, promptTokenIds: [7, 8, 9] },
      [choice, { ...choice, logprobs: [], tokenIds: [1, 2] }],
      usage,
    );
    expect(answer).toEqual({
      id: 'chatcmpl-abc',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'tiny',
      system_fingerprint: 'fp_0123456789ab',
      choices: [
        { index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' },
        {
          index: 1,
          message: { role: 'assistant', content: 'Hello' },
          logprobs: { content: [], refusal: null },
          token_ids: [1, 2],
          finish_reason: 'stop',
        },
      ],
      prompt_token_ids: [7, 8, 9],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
    expect(API_CHAT.schemas.completion.schema.parse(answer)).toEqual(answer);
  });
});
