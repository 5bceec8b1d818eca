import { z } from 'zod';

/** Tokens that an answer may not have, whatever their logits. */
export const TokenLimits = z.strictObject({
  /** No others come, not even those that end a turn. Left out for all. */
  allowed: z.array(z.int().min(0)).min(1).optional(),
  /** Of each of these sequences, the last token never comes behind the others. */
  banned: z
    .array(z.array(z.int().min(0)).min(1))
    .min(1)
    .optional(),
});
export type TokenLimits = z.infer<typeof TokenLimits>;
