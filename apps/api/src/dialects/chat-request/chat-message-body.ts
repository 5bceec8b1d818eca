import { z } from 'zod';
import { harmlessOnly } from './harmless-only.ts';

const TextPart = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
});

const content = z.union([z.string(), z.array(TextPart).min(1).max(1_024)]);
const name = z.string().min(1).max(64).nullish();

/** Clients that write out every field of a message send these empty with all roles. */
const unused = {
  tool_calls: harmlessOnly(z.array(z.unknown()).max(0), 'Tools are not supported.'),
  tool_call_id: harmlessOnly(z.never(), 'Only messages of the role "tool" have one.'),
};

/** Fields that clients echo from an answer into the next request; empty, they say nothing. */
const echoed = {
  refusal: harmlessOnly(z.never(), 'Put the text into "content".'),
  annotations: harmlessOnly(z.array(z.unknown()).max(0), 'Annotations are not supported.'),
  audio: harmlessOnly(z.never(), 'The models here read text only.'),
  function_call: harmlessOnly(z.never(), 'Functions are not supported.'),
};

export const ChatMessageBody = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content, name, ...unused }),
  z.strictObject({ role: z.literal('developer'), content, name, ...unused }),
  z.strictObject({ role: z.literal('user'), content, name, ...unused }),
  z.strictObject({ role: z.literal('assistant'), content, name, ...unused, ...echoed }),
  z.strictObject({
    role: z.literal('tool'),
    content,
    name,
    tool_calls: unused.tool_calls,
    tool_call_id: z.string().min(1).max(512),
  }),
]);
export type ChatMessageBody = z.infer<typeof ChatMessageBody>;
