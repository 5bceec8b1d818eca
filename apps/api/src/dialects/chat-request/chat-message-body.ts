import { z } from 'zod';
import { harmlessOnly } from '../../body/harmless-only.ts';
import { cacheControl } from './cache-control.ts';
import { prefix } from './prompt-end.ts';

const TextPart = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  cache_control: cacheControl,
});

/** What an assistant declined with, as OpenAI's answers have it: text of the assistant's like any other. */
const RefusalPart = z.strictObject({ type: z.literal('refusal'), refusal: z.string() });

const content = z.union([z.string(), z.array(TextPart).min(1).max(1_024)]);
const assistantContent = z.union([
  z.string(),
  z
    .array(z.discriminatedUnion('type', [TextPart, RefusalPart]))
    .min(1)
    .max(1_024),
]);
const name = z.string().min(1).max(64).nullish();

const callFields = {
  id: z.string().min(1).max(512),
  /** Left over from the parts of a stream that a client joined; the calls' order says the same. */
  index: z.int().min(0).nullish(),
  provider_specific_fields: z.unknown().optional(),
};
const calledName = z.string().min(1).max(64);

const ToolCallBody = z.discriminatedUnion('type', [
  z.strictObject({
    ...callFields,
    type: z.literal('function'),
    function: z.strictObject({
      name: calledName,
      arguments: z.string(),
      parsed_arguments: z.unknown().optional(),
    }),
  }),
  z.strictObject({
    ...callFields,
    type: z.literal('custom'),
    custom: z.strictObject({ name: calledName, input: z.string() }),
  }),
]);

/** Clients that write out every field of a message send these empty with all roles. */
const unused = {
  tool_calls: harmlessOnly(z.array(z.unknown()).max(0), 'Only messages of the role "assistant" have calls.'),
  tool_call_id: harmlessOnly(z.never(), 'Only messages of the role "tool" have one.'),
  prefix: harmlessOnly(z.literal(false), 'Only a message of the role "assistant" begins an answer.'),
};

/** Fields that clients echo from an answer into the next request; empty, they say nothing. */
const echoed = {
  annotations: harmlessOnly(z.array(z.unknown()).max(0), 'Annotations are not supported.'),
  audio: harmlessOnly(z.never(), 'The models here read text only.'),
  function_call: harmlessOnly(z.never(), 'Send calls as "tool_calls".'),
  /** What a client's own parser made of the content. */
  parsed: z.unknown().optional(),
  /** What LiteLLM notes of another provider's answer. */
  provider_specific_fields: z.unknown().optional(),
  thinking_blocks: harmlessOnly(z.array(z.unknown()).max(0), 'Send reasoning as "reasoning_content".'),
  images: harmlessOnly(z.array(z.unknown()).max(0), 'The models here read text only.'),
};

const AssistantMessage = z
  .strictObject({
    role: z.literal('assistant'),
    content: assistantContent.nullish(),
    refusal: z.string().nullish().describe('Text with which the assistant declined; it follows the content.'),
    reasoning_content: z.string().nullish(),
    reasoning: z.string().nullish().describe('Extension. The same as reasoning_content.'),
    name,
    tool_calls: z.array(ToolCallBody).max(128).nullish(),
    tool_call_id: unused.tool_call_id,
    prefix,
    cache_control: cacheControl,
    ...echoed,
  })
  .refine(
    ({ content: said, refusal, reasoning_content: reasoning, tool_calls: calls, ...message }) =>
      (said ?? refusal ?? null) !== null || (calls ?? []).length > 0 || Boolean(reasoning ?? message.reasoning),
    {
      path: ['content'],
      message:
        'must be one of the types: string, array; it may be left out only beside tool_calls, refusal or reasoning_content',
    },
  );

export const ChatMessageBody = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content, name, ...unused, cache_control: cacheControl }),
  z.strictObject({ role: z.literal('developer'), content, name, ...unused, cache_control: cacheControl }),
  z.strictObject({ role: z.literal('user'), content, name, ...unused, cache_control: cacheControl }),
  AssistantMessage,
  z.strictObject({
    role: z.literal('tool'),
    content,
    name,
    tool_calls: unused.tool_calls,
    tool_call_id: z.string().min(1).max(512),
    prefix: unused.prefix,
    cache_control: cacheControl,
  }),
]);
export type ChatMessageBody = z.infer<typeof ChatMessageBody>;
