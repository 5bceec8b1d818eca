import { z } from 'zod';

/**
 * A block of reasoning that comes before the part that is constrained, as the output format `format` of libs/models
 * writes it. `marked`: the model may open one itself; `opened`: the prompt ends inside one, so the answer begins there.
 */
const Reasoning = z.strictObject({
  format: z.string().min(1),
  start: z.enum(['marked', 'opened']),
  /** Tokens of the block after which it is closed; absent for as many as the model likes. */
  budgetTokens: z.int().min(0).optional(),
});

const JsonSchema = z.record(z.string(), z.unknown());

/**
 * What an answer must be, enforced token by token. A worker that does not know the type of a constraint refuses the job:
 * nothing is ever generated without the constraint that was asked for.
 */
export const OutputConstraint = z.discriminatedUnion('type', [
  /** Free text, behind a block of reasoning that is held to its budget. */
  z.strictObject({ type: z.literal('text'), reasoning: Reasoning }),
  /** Any JSON object. */
  z.strictObject({ type: z.literal('json_object'), reasoning: Reasoning.optional() }),
  /** A JSON document that is valid against `schema`, which libs/models has accepted. */
  z.strictObject({
    type: z.literal('json_schema'),
    schema: JsonSchema,
    /** What the caller said; schemas are enforced either way. */
    strict: z.boolean(),
    reasoning: Reasoning.optional(),
  }),
  /** Text that an ECMAScript pattern (flag `u`) matches from its first character to its last. */
  z.strictObject({ type: z.literal('pattern'), pattern: z.string(), reasoning: Reasoning.optional() }),
  /** One of these texts. */
  z.strictObject({
    type: z.literal('choice'),
    texts: z.array(z.string().min(1)).min(1),
    reasoning: Reasoning.optional(),
  }),
  /** Text of a context-free grammar, in a notation that libs/models reads and has accepted. */
  z.strictObject({ type: z.literal('grammar'), grammar: z.string().min(1), reasoning: Reasoning.optional() }),
  /** Tool calls as the output format `format` of libs/models writes them. */
  z.strictObject({
    type: z.literal('tool_calls'),
    format: z.string().min(1),
    tools: z
      .array(
        z.strictObject({
          name: z.string().min(1),
          /** JSON schema of the arguments object; null for any object. */
          parameters: JsonSchema.nullable(),
          /** False: arguments are any JSON object where calls are free (`auto`). */
          strict: z.boolean(),
          /** The grammar of the text that is the only argument, `input`; absent where the schema says all. */
          input: z.strictObject({ syntax: z.enum(['lark', 'regex']), definition: z.string().min(1) }).optional(),
        }),
      )
      .min(1),
    /**
     * `required`: one call or more of any of the tools; a name: of that tool alone; `auto`: free text, or text and then
     * calls, of which those of strict tools are valid against their schemas.
     */
    choice: z.union([z.enum(['required', 'auto']), z.strictObject({ name: z.string().min(1) })]),
    /** False: no more than one call. */
    parallel: z.boolean(),
    /** JSON schema of an answer that is no call, where calls are free (`auto`); absent for any text. */
    content: JsonSchema.optional(),
    reasoning: Reasoning.optional(),
  }),
]);
export type OutputConstraint = z.infer<typeof OutputConstraint>;
