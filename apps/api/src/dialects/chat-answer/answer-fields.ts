import { z } from 'zod';

const Alternative = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int().min(0).max(255)).nullable(),
});

export const Logprobs = z
  .object({
    content: z.array(Alternative.extend({ top_logprobs: z.array(Alternative) })).nullable(),
    refusal: z.null(),
  })
  .nullable();
export type Logprobs = z.infer<typeof Logprobs>;

const tokenIds = z.array(z.int().min(0)).optional();

/** Of an answer, and of the first chunk of each choice of a stream. */
export const PROMPT_TOKEN_IDS = {
  prompt_token_ids: tokenIds.describe('Extension. Only with return_token_ids: true. The prompt as the model reads it.'),
};

/** Of a choice. */
export const TOKEN_IDS = {
  token_ids: tokenIds.describe(
    'Extension. Only with return_token_ids: true. Those of reasoning, calls and the end, too.',
  ),
};

export const FinishReason = z.enum(['stop', 'length', 'tool_calls']);

const calledFunction = z.object({ name: z.string(), arguments: z.string().describe('A JSON object, as text.') });

export const ToolCall = z.object({ id: z.string(), type: z.literal('function'), function: calledFunction });
export type ToolCall = z.infer<typeof ToolCall>;

const calledCustom = z.object({ name: z.string(), input: z.string().describe('Any text.') });

/** Only where a dialect takes custom tools. */
export const CustomToolCall = z.object({ id: z.string(), type: z.literal('custom'), custom: calledCustom });
export type CustomToolCall = z.infer<typeof CustomToolCall>;

/** Of a stream: the first of a call has its id, type and name, the others a piece of its arguments. */
export const ToolCallDelta = z.object({
  index: z.int().min(0),
  id: z.string().optional(),
  type: z.literal('function').optional(),
  function: calledFunction.partial(),
});

/** The same of a custom tool's call, whose pieces are of its input. */
export const CustomToolCallDelta = ToolCallDelta.omit({ function: true }).extend({
  type: z.literal('custom').optional(),
  custom: calledCustom.partial(),
});

/** Fields of a message that stand there only when there is something to tell. */
export const OPTIONAL_MESSAGE_FIELDS = {
  reasoning_content: z.string().optional().describe('Extension. What the model thought before it answered.'),
  tool_calls: z.array(ToolCall).min(1).optional(),
};

/** Fields of every `delta` of a stream. */
export const DELTA_FIELDS = {
  role: z.literal('assistant').optional(),
  content: z.string().optional(),
  reasoning_content: z.string().optional().describe('Extension. A piece of what the model thought.'),
  tool_calls: z.array(ToolCallDelta).length(1).optional(),
};

/** What every dialect tells of the usage. */
export const TokenCounts = z.object({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0).describe('Of all choices together.'),
  total_tokens: z.int().min(0),
});
export type TokenCounts = z.infer<typeof TokenCounts>;

const completionDetails = z.object({ reasoning_tokens: z.int().min(0) });

export const ReasonedTokenCounts = TokenCounts.extend({ completion_tokens_details: completionDetails.optional() });
export type ReasonedTokenCounts = z.infer<typeof ReasonedTokenCounts>;

export const Usage = TokenCounts.extend({
  prompt_tokens_details: z.object({ cached_tokens: z.int().min(0) }),
  completion_tokens_details: completionDetails,
});
export type Usage = z.infer<typeof Usage>;

/** The error body of OpenAI. */
export const OpenaiErrorBody = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});
export type OpenaiErrorBody = z.infer<typeof OpenaiErrorBody>;
