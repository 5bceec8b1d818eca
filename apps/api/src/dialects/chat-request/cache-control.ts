import { z } from 'zod';

/** Where a prompt's shared beginning ends, as Anthropic's API and its clients mark it. */
export const cacheControl = z
  .strictObject({ type: z.literal('ephemeral'), ttl: z.string().max(16).nullish() })
  .nullish()
  .describe('Extension. A hint that changes nothing: what prompts share is found by their tokens.');
