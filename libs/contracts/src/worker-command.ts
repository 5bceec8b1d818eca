import { z } from 'zod';
import { type ErrorCode, isErrorCode } from './error-codes.ts';

/** What a worker can be asked to do with its models while it runs. Readers pass over fields that they do not know. */
export const WorkerCommand = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('load'),
    commandId: z.string().min(1),
    /** As an entry of MILLRACE_MODEL. */
    entry: z.string().min(1),
  }),
  z.object({
    action: z.literal('unload'),
    commandId: z.string().min(1),
    model: z.string().min(1),
    /** Time that its running requests get; the worker's own when null. */
    graceMs: z.int().min(0).nullable(),
  }),
]);
export type WorkerCommand = z.infer<typeof WorkerCommand>;

/** A code of a later release is no more than an error here. */
const code = z.string().transform((text): ErrorCode => (isErrorCode(text) ? text : 'internal_error'));

/** Whether the worker has begun with it, or why it does not. */
export const CommandAnswer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('begun'), model: z.string() }),
  z.object({ outcome: z.literal('refused'), code, message: z.string() }),
]);
export type CommandAnswer = z.infer<typeof CommandAnswer>;
