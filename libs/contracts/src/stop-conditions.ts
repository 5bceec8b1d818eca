import { z } from 'zod';

/** When a sequence ends. */
export const StopConditions = z.strictObject({
  /** Ends the sequence; the token itself is counted but its text is not shown. */
  tokenIds: z.array(z.int().min(0)),
  /** Ends the sequence where one first appears in the text; neither it nor what follows is shown. */
  strings: z.array(z.string().min(1)).max(16),
  /** The string that ended the sequence is shown. Left out where it is not. */
  showsString: z.literal(true).optional(),
  /** Nothing but `maxTokens` ends a choice before it has so many tokens. Left out for none. */
  minTokens: z.int().min(1).optional(),
  /** Most tokens to generate for one choice. */
  maxTokens: z.int().min(1),
});
export type StopConditions = z.infer<typeof StopConditions>;
