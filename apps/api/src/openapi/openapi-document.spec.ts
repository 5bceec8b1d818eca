import { describe, expect, it } from 'vitest';
import { ChatCompletionBody } from '../dialects/openai-chat/request-body.ts';
import { openapiDocument } from './openapi-document.ts';

describe('openapiDocument', () => {
  const document = JSON.parse(JSON.stringify(openapiDocument()));

  it('describes every field that the schema takes, and refuses others as it does', () => {
    const { properties, additionalProperties, required } = document.components.schemas.ChatCompletionBody;
    expect(Object.keys(properties)).toEqual(Object.keys(ChatCompletionBody.shape));
    expect(additionalProperties).toBe(false);
    expect(required).toEqual(['model', 'messages']);
    expect(JSON.stringify(properties.temperature)).toContain('"maximum":2');
  });

  it('refers only to schemas that it has', () => {
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g);
    for (const [, name] of references) expect(document.components.schemas).toHaveProperty(name!);
  });
});
