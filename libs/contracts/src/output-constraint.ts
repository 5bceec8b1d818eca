import { z } from 'zod';

/**
 * What an answer must be, enforced token by token. A worker that does not know the type of a constraint refuses the job:
 * nothing is ever generated without the constraint that was asked for.
 */
export const OutputConstraint = z.discriminatedUnion('type', [
  /** Any JSON object. */
  z.strictObject({ type: z.literal('json_object') }),
  /** A JSON document that is valid against `schema`, which libs/models has accepted. */
  z.strictObject({
    type: z.literal('json_schema'),
    schema: z.record(z.string(), z.unknown()),
    /** What the caller said; schemas are enforced either way. */
    strict: z.boolean(),
  }),
]);
export type OutputConstraint = z.infer<typeof OutputConstraint>;
