import { z } from 'zod';

/** Remedies by schema: what `describeProblem` tells whoever sends such a field with another value. */
const REMEDIES = new WeakMap<z.ZodType, string>();

/**
 * A field of OpenAI's that is not honoured, so that it may only be absent, null, or have a value that asks for what is
 * done anyway. Any other value is refused as `unsupported_parameter`: nothing is accepted and ignored.
 */
export function harmlessOnly<Schema extends z.ZodType>(schema: Schema, remedy: string) {
  const field = schema.nullish().describe(`Not supported, except where it changes nothing. ${remedy}`);
  REMEDIES.set(field, remedy);
  return field;
}

/** The remedy of a field made by `harmlessOnly`; null for any other. */
export function unsupportedRemedy(schema: z.ZodType | undefined): string | null {
  return (schema && REMEDIES.get(schema)) ?? null;
}
