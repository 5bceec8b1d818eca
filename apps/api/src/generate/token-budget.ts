import { MillraceError, type ModelCard } from '#contracts';
import type { ValidGenerateRequest } from './valid-generate-request.ts';

/**
 * Most tokens that one choice may have: what was asked for, or the default as far as the prompt leaves it.
 * @throws MillraceError context_length_exceeded with both numbers
 */
export function tokenBudget(request: ValidGenerateRequest, promptTokens: number, card: ModelCard): number {
  const left = card.contextLength - promptTokens;
  if (left < 1) {
    throw new MillraceError(
      'context_length_exceeded',
      `This model's context length is ${card.contextLength} tokens, but the messages are ${promptTokens} tokens, which ` +
        'leaves none for an answer. Shorten the messages.',
      { param: 'messages' },
    );
  }
  const wanted = request.maxTokens ?? left;
  if (request.maxTokensField === null) return Math.min(wanted, left);
  if (wanted > left) {
    throw new MillraceError(
      'context_length_exceeded',
      `This model's context length is ${card.contextLength} tokens, but the request is ${promptTokens + wanted} tokens ` +
        `(${promptTokens} in the messages, ${wanted} in ${request.maxTokensField}). Shorten the messages ` +
        `or ask for at most ${left} tokens.`,
      { param: 'messages' },
    );
  }
  return wanted;
}
