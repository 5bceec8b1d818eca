import { describe, expect, it } from 'vitest';
import { missingRouteMessage } from './missing-route.ts';

describe('missingRouteMessage', () => {
  it.each([
    ['/v1/responses', /Responses API is not served.*\/v1\/chat\/completions.*chat_completions/],
    ['/v1/completions', /Send messages to POST \/v1\/chat\/completions/],
    ['/v1/embeddings', /Embeddings are not served/],
    ['/v1/messages', /Anthropic/],
    ['/chat/completions', /ends with \/v1 here: \/v1\/chat\/completions/],
    ['/models', /ends with \/v1/],
    ['/', /described at \/docs.*\/console/],
    ['/metrics', /management port/],
    ['/v1/constructor', /^There is no such route\.$/],
    ['/admin/v1/responses', /^There is no such route\.$/],
  ])('says at %s what to ask instead, where that is known', (path, message) => {
    expect(missingRouteMessage(path)).toMatch(message);
  });
});
