import { z } from 'zod';
import {
  CustomToolCall,
  CustomToolCallDelta,
  DELTA_FIELDS,
  FinishReason,
  Logprobs,
  OPTIONAL_MESSAGE_FIELDS,
  PROMPT_TOKEN_IDS,
  TOKEN_IDS,
  ToolCall,
  ToolCallDelta,
  Usage,
} from '../chat-answer/answer-fields.ts';

const heading = {
  id: z.string(),
  created: z.int().describe('Unix time in seconds.'),
  model: z.string(),
  system_fingerprint: z.string().describe('Changes when the model, its tokenizer or its template changes.'),
};

export const CompletionBody = z.object({
  ...heading,
  object: z.literal('chat.completion'),
  choices: z.array(
    z.object({
      index: z.int().min(0),
      message: z.object({
        role: z.literal('assistant'),
        content: z.string().nullable().describe('Null when the answer is tool calls alone.'),
        refusal: z.null(),
        ...OPTIONAL_MESSAGE_FIELDS,
        tool_calls: z
          .array(z.discriminatedUnion('type', [ToolCall, CustomToolCall]))
          .min(1)
          .optional(),
      }),
      logprobs: Logprobs,
      ...TOKEN_IDS,
      finish_reason: FinishReason,
    }),
  ),
  ...PROMPT_TOKEN_IDS,
  usage: Usage,
});
export type CompletionBody = z.infer<typeof CompletionBody>;

export const ChunkBody = z.object({
  ...heading,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      index: z.int().min(0),
      delta: z.object({
        ...DELTA_FIELDS,
        refusal: z.null().optional(),
        tool_calls: z
          .array(z.union([ToolCallDelta, CustomToolCallDelta]))
          .length(1)
          .optional(),
      }),
      logprobs: Logprobs,
      ...TOKEN_IDS,
      finish_reason: FinishReason.nullable(),
    }),
  ),
  ...PROMPT_TOKEN_IDS,
  usage: Usage.nullable()
    .optional()
    .describe('Only with stream_options.include_usage: null in all chunks but the last.'),
});
export type ChunkBody = z.infer<typeof ChunkBody>;
