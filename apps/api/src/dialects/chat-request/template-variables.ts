import { z } from 'zod';

const MAX_VARIABLES = 32;
const MAX_CHARACTERS = 8_192;
const MAX_DEPTH = 4;

/** Further variables for the model's chat template, small enough that no rendering gets long by them. */
export const TemplateVariables = z
  .record(
    z.string().regex(/^[A-Za-z_]\w{0,63}$/, 'must be names of up to 64 letters, digits and underscores'),
    z.unknown(),
  )
  .refine((values) => Object.keys(values).length <= MAX_VARIABLES, `may have at most ${MAX_VARIABLES} members`)
  .refine((values) => depthOf(values) <= MAX_DEPTH, `may be nested at most ${MAX_DEPTH} levels deep`)
  .refine(
    (values) => JSON.stringify(values).length <= MAX_CHARACTERS,
    `may have at most ${MAX_CHARACTERS} characters of JSON`,
  );

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
