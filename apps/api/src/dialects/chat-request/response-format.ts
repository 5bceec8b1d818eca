import { z } from 'zod';
import { harmlessOnly } from '../../body/harmless-only.ts';
import type { ValidGenerateRequest } from '../../generate/valid-generate-request.ts';

/** Where a caller finds the schema of an answer in its request. */
export const SCHEMA_FIELD = 'response_format.json_schema.schema';

const withoutSchema = harmlessOnly(z.never(), 'Send it as "json_schema" with the type "json_schema".');

/** OpenAI's `response_format`: free text, any JSON object, or JSON that is valid against a schema. */
export const ResponseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), json_schema: withoutSchema }),
  z.strictObject({ type: z.literal('json_object'), json_schema: withoutSchema, schema: withoutSchema }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: z.string().regex(/^[\w-]{1,64}$/, 'must have 1 to 64 letters, digits, underscores or dashes'),
      description: z.string().nullish(),
      schema: z.record(z.string(), z.unknown()),
      strict: z.boolean().nullish(),
    }),
  }),
]);
export type ResponseFormat = z.infer<typeof ResponseFormat>;

/** What the answer must be; null for free text. Schemas are enforced whatever `strict` says. */
export function responseConstraint(format: ResponseFormat): ValidGenerateRequest['constraint'] {
  if (format.type === 'json_object') return { type: 'json_object' };
  if (format.type !== 'json_schema') return null;
  const { schema, strict } = format.json_schema;
  return { type: 'json_schema', schema, strict: strict ?? false };
}
