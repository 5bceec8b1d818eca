import { z } from 'zod';

const MAX_PAIRS = 16;
const MAX_KEY_CHARACTERS = 64;
const MAX_VALUE_CHARACTERS = 512;

/** What a client notes on its request, with OpenAI's limits. */
export const RequestMetadata = z
  .record(
    z.string().max(MAX_KEY_CHARACTERS, `must have at most ${MAX_KEY_CHARACTERS} characters`),
    z.string().max(MAX_VALUE_CHARACTERS),
  )
  .refine((pairs) => Object.keys(pairs).length <= MAX_PAIRS, `may have at most ${MAX_PAIRS} members`);
