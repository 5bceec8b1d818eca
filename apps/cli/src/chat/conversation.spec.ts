import { expect, it } from 'vitest';
import { Conversation } from './conversation.ts';

const user = (content: string) => ({ role: 'user' as const, content });
const assistant = (content: string) => ({ role: 'assistant' as const, content });
const system = (content: string) => ({ role: 'system' as const, content });

function conversationOf(...pairs: (readonly [string, string])[]): Conversation {
  const conversation = new Conversation('');
  for (const [asked, answer] of pairs) {
    conversation.ask(asked);
    conversation.answered(answer);
  }
  return conversation;
}

it('all that was said is sent, the system message first', () => {
  const conversation = conversationOf(['a', 'A']);
  conversation.system = 'Be brief.';
  conversation.ask('b');
  expect(conversation.messages).toEqual([system('Be brief.'), user('a'), assistant('A'), user('b')]);
  conversation.clear();
  expect(conversation.messages).toEqual([system('Be brief.')]);
});

it('a message without an answer does not stay, but can be asked again', () => {
  const conversation = conversationOf(['a', 'A'], ['a', '']);
  expect(conversation.messages).toEqual([user('a'), assistant('A')]);
  expect(conversation.takeLast()).toBe('a');
  expect(conversation.messages).toEqual([user('a'), assistant('A')]);
});

it('the last message is asked again without its answer', () => {
  const conversation = conversationOf(['a', 'A'], ['b', 'B']);
  expect(conversation.takeLast()).toBe('b');
  expect(conversation.messages).toEqual([user('a'), assistant('A')]);
  expect(conversationOf().takeLast()).toBeNull();
});

it('another conversation can take its place, also one whose last message has no answer', () => {
  const conversation = conversationOf(['a', 'A']);
  conversation.replace([system('S'), user('b'), assistant('B'), user('c')]);
  expect(conversation.messages).toEqual([system('S'), user('b'), assistant('B')]);
  expect(conversation.takeLast()).toBe('c');
});
