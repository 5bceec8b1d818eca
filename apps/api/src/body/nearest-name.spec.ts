import { describe, expect, it } from 'vitest';
import { nearestName } from './nearest-name.ts';

const NAMES = [
  'model',
  'messages',
  'temperature',
  'top_p',
  'top_k',
  'max_tokens',
  'max_completion_tokens',
  'n',
  'stop',
];

describe('nearestName', () => {
  it.each([
    ['temprature', 'temperature'],
    ['temperatrue', 'temperature'],
    ['temparatura', 'temperature'],
    ['maxTokens', 'max_tokens'],
    ['max-tokens', 'max_tokens'],
    ['max_token', 'max_tokens'],
    ['maxCompletionToken', 'max_completion_tokens'],
    ['Stop', 'stop'],
    ['message', 'messages'],
  ])('takes %s for %s', (given, meant) => {
    expect(nearestName(given, NAMES)).toBe(meant);
  });

  it.each(['colour', 'x', '', 'm', 'steps', 'constructor', '__proto__', 'tokens'])('takes %j for nothing', (given) => {
    expect(nearestName(given, NAMES)).toBe(null);
  });

  it('takes the nearer of two, and the first of two that are as near', () => {
    expect(nearestName('topk', NAMES)).toBe('top_k');
    expect(nearestName('topx', NAMES)).toBe('top_p');
  });
});
