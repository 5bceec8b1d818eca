import type { z } from 'zod';
import { MillraceError } from '#contracts';

/** @throws MillraceError invalid_request naming every field that is wrong */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const result = schema.safeParse(input ?? {});
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => `${issue.path.join('.') || 'the body'}: ${issue.message}`);
  throw new MillraceError('invalid_request', `The request is not valid: ${problems.join('; ')}.`, {
    param: result.error.issues[0]?.path.join('.'),
  });
}
