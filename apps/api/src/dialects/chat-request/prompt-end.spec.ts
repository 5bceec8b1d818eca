import { describe, expect, it } from 'vitest';
import { MillraceError } from '#contracts';
import { DIALECTS } from '../dialects.ts';
import { OPENAI_CHAT } from '../openai-chat/openai-chat-dialect.ts';

const question = { role: 'user', content: 'Which sky?' };
const begun = { role: 'assistant', content: 'The grey' };
const call = { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } };

function endOf(messages: readonly object[], change: object = {}, dialect = OPENAI_CHAT) {
  return dialect.parse({ model: 'tiny', messages, ...change }).request.promptEnd;
}

function refusalOf(messages: readonly object[], change: object = {}): MillraceError {
  try {
    endOf(messages, change);
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('where a prompt ends', () => {
  it('is a new turn of the assistant’s, unless the request says otherwise, also behind a message of its own', () => {
    expect(endOf([question])).toBe('new-turn');
    expect(endOf([question, begun])).toBe('new-turn');
    const nothing = { continue_final_message: false, add_generation_prompt: true };
    expect(endOf([question, { ...begun, prefix: false }], nothing)).toBe('new-turn');
    expect(endOf([{ ...question, prefix: false }], { continue_final_message: null })).toBe('new-turn');
  });

  it.each(DIALECTS)('is in the last message where that is to be continued: $name', (dialect) => {
    const asked = [{ continue_final_message: true }, { continue_final_message: true, add_generation_prompt: false }];
    for (const change of asked) expect(endOf([question, begun], change, dialect)).toBe('in-message');
    const prefixed = [question, { ...begun, prefix: true }];
    expect(endOf(prefixed, {}, dialect)).toBe('in-message');
    expect(endOf(prefixed, { continue_final_message: true }, dialect)).toBe('in-message');
  });

  it('is behind the last message where no turn is to be opened', () => {
    expect(endOf([question], { add_generation_prompt: false })).toBe('after-message');
  });

  it('may be in reasoning that nothing follows', () => {
    const reasoning = { role: 'assistant', reasoning_content: 'Let me', prefix: true };
    const { request } = OPENAI_CHAT.parse({ model: 'tiny', messages: [question, reasoning] });
    expect(request.messages[1]).toEqual({ role: 'assistant', content: '', reasoning_content: 'Let me' });
  });

  it.each([
    [[question, begun], { continue_final_message: true, add_generation_prompt: true }, 'add_generation_prompt'],
    [[question, { ...begun, prefix: true }], { add_generation_prompt: true }, 'add_generation_prompt'],
    [[question, { ...begun, prefix: true }], { continue_final_message: false }, 'continue_final_message'],
    [[question], { continue_final_message: true }, 'continue_final_message'],
    [[{ ...begun, prefix: true }, question], {}, 'messages[0].prefix'],
    [[question, { ...begun, tool_calls: [call] }], { continue_final_message: true }, 'messages[1].tool_calls'],
  ])('is refused of %j with %j', (messages, change, param) => {
    const error = refusalOf(messages, change);
    expect(error).toMatchObject({ code: 'invalid_request', param });
    expect(error.message).toMatch(/^\S+ (is|stand) .*(Send|Remove|End)/);
  });

  it('can be in no message of another role', () => {
    const error = refusalOf([{ ...question, prefix: true }]);
    expect(error).toMatchObject({ code: 'unsupported_parameter', param: 'messages[0].prefix' });
    expect(error.message).toContain('"assistant"');
  });
});
