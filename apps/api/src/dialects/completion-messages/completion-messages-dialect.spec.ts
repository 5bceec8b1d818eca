import { describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorCode, MillraceError } from '#contracts';
import { answerHeading as heading } from '../../../../../test/support/answer-heading.ts';
import { COMPLETION_MESSAGES } from './completion-messages-dialect.ts';

const body = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] };
const usage = { promptTokens: 20, completionTokens: 14, cachedPromptTokens: 1, reasoningTokens: 0 };

describe('the completion-messages dialect', () => {
  it('answers in its document’s envelope', () => {
    const end = { reason: 'length' as const, stopString: null };
    const answer = COMPLETION_MESSAGES.completion(
      heading,
      [{ content: 'Hello', reasoning: '', calls: [], logprobs: null, tokenIds: null, end }],
      usage,
    );
    expect(answer).toEqual({
      code: 0,
      message: 'success',
      result: {
        id: 'abc',
        model: 'tiny',
        answer: 'Hello',
        usage: { prompt_tokens: 20, completion_tokens: 14, total_tokens: 34, finish_reason: 'length' },
        created_at: 1_700_000_000,
      },
    });
    expect(COMPLETION_MESSAGES.schemas.completion.schema.parse(answer)).toEqual(answer);
  });

  it('gives every error a code that begins with its status, and no message but its own', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      const error = COMPLETION_MESSAGES.errorBody(new MillraceError(code, 'why'));
      expect(error).toMatchObject({ message: 'why', result: null });
      expect(Math.floor((error as { code: number }).code / 100)).toBe(ERROR_CODES[code].http);
    }
  });

  it.each([
    ['invalid_request', 40000],
    ['unsupported_parameter', 40001],
    ['context_length_exceeded', 40002],
    ['invalid_api_key', 40100],
    ['insufficient_credits', 40200],
    ['model_not_allowed', 40300],
    ['model_not_found', 40400],
    ['not_found', 40401],
    ['request_too_large', 41300],
    ['unsupported_media_type', 41500],
    ['rate_limit_exceeded', 42900],
    ['queue_full', 42901],
    ['queue_timeout', 42902],
    ['internal_error', 50000],
    ['engine_failed', 50001],
    ['attempts_exhausted', 50002],
    ['unavailable', 50300],
    ['no_workers', 50301],
    ['overloaded', 50302],
    ['worker_lost', 50303],
    ['worker_draining', 50304],
  ] as const)('gives %s the code %i for good', (code, number) => {
    expect(COMPLETION_MESSAGES.errorBody(new MillraceError(code, 'why'))).toMatchObject({ code: number });
  });

  it.each([
    { n: 1 },
    { n: null },
    { stream: false },
    { logprobs: false, top_logprobs: 0 },
    { tools: [], tool_choice: 'none' },
    { presence_penalty: -2 },
    { max_tokens: 100 },
  ])('takes %j', (change) => expect(() => COMPLETION_MESSAGES.parse({ ...body, ...change })).not.toThrow());

  it.each([
    [{ n: 2 }, 'n', /one text/],
    [{ stream: true }, 'stream', /answers whole/],
    [{ stream_options: {} }, 'stream_options', /answers whole/],
    [{ logprobs: true }, 'logprobs', /no place/],
    [{ return_token_ids: true }, 'return_token_ids', /no place/],
    [{ return_tokens_as_token_ids: true }, 'return_tokens_as_token_ids', /no place/],
    [{ tools: [{}] }, 'tools', /no place/],
    [{ tool_choice: 'required' }, 'tool_choice', /no place/],
  ])('refuses %j, which one text can not show', (change, param, message) => {
    try {
      COMPLETION_MESSAGES.parse({ ...body, ...change });
    } catch (error) {
      expect(error).toMatchObject({ code: 'unsupported_parameter', param, message: expect.stringMatching(message) });
      return;
    }
    throw new Error('was accepted');
  });
});
