import { z } from 'zod';
import type { MillraceError } from '#contracts';

export const ErrorBody = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

/** OpenAI's error body. */
export function errorBody(error: MillraceError): ErrorBody {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code } };
}
