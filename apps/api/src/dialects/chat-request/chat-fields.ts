import { z } from 'zod';
import { harmlessOnly } from '../../body/harmless-only.ts';
import { REASONING_EFFORTS } from '../../generate/reasoning-effort.ts';
import { ANSWER_FORM_FIELDS } from './answer-form.ts';
import { ChatMessageBody } from './chat-message-body.ts';
import { OTHER_SERVERS_FIELDS } from './other-servers.ts';
import { PROMPT_END_FIELDS } from './prompt-end.ts';
import { REASONING_SWITCH_FIELDS } from './reasoning-switch.ts';
import { RequestMetadata } from './request-metadata.ts';
import { ResponseFormat } from './response-format.ts';
import { TemplateVariables } from './template-variables.ts';
import { TOOL_FIELDS } from './tools.ts';

/** More than any conversation that fits a context; each message costs work before admission. */
const MAX_MESSAGES = 2_048;
const MAX_CHOICES = 128;
const MAX_STOP_CHARACTERS = 1_024;
const MAX_STOP_TOKENS = 128;
const MAX_LOGIT_BIASES = 1_024;
const MAX_ALLOWED_TOKENS = 4_096;
const MAX_BAD_WORDS = 256;
const MAX_WORD_CHARACTERS = 128;
const MAX_IDENTIFIER_CHARACTERS = 512;

/** Largest seed of OpenAI's schema, an int64. */
const SEED_LIMIT = 2 ** 63;

const ownDefault = (otherwise: number) =>
  `Default what the model’s makers recommend (\`default_parameters\` of GET /v1/models), else ${otherwise}.`;

const stopString = z.string().min(1, 'must not be empty').max(MAX_STOP_CHARACTERS);

/** Most tokens to generate, as a field. */
export const tokenLimit = z.int().min(1);

/**
 * The fields of a chat request: all of OpenAI's schema, and those of other servers. A dialect spreads them into its
 * schema and puts its own ranges in their place.
 * Fields that are not honoured are listed with the only values that mean the same as leaving them out.
 */
export const CHAT_FIELDS = {
  model: z.string().min(1).max(MAX_IDENTIFIER_CHARACTERS).describe('Id of a model of GET /v1/models.'),
  messages: z.array(ChatMessageBody).min(1).max(MAX_MESSAGES).describe('The conversation so far, oldest first.'),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .describe(`${ownDefault(1)} 0 always takes the most likely token.`),
  top_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe(`${ownDefault(1)} Keeps the most likely tokens that add up to this mass.`),
  n: z.int().min(1).max(MAX_CHOICES).nullish().describe('Default 1. Number of choices.'),
  stream: z.boolean().nullish().describe('Default false. Server-sent events, ended by `data: [DONE]`.'),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().nullish().describe('Sends the usage in a last chunk with empty choices.'),
      continuous_usage_stats: z
        .boolean()
        .nullish()
        .describe('Extension. Tells the usage so far in every chunk; only with include_usage: true.'),
      include_obfuscation: harmlessOnly(z.literal(false), 'Streams are not padded here; leave it out.'),
    })
    .nullish()
    .describe('Only with stream: true.'),
  stop: z
    .union([stopString, z.array(stopString).max(4)])
    .nullish()
    .describe(
      'Up to 4 strings that end the answer; they are not part of it, unless include_stop_str_in_output says so.',
    ),
  max_tokens: tokenLimit.nullish().describe('Most tokens per choice; default: what the messages leave of the context.'),
  max_completion_tokens: tokenLimit.nullish().describe('The same as max_tokens.'),
  presence_penalty: z.number().min(-2).max(2).nullish().describe('Default 0.'),
  frequency_penalty: z.number().min(-2).max(2).nullish().describe('Default 0.'),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, 'must be a token id'), z.number().min(-100).max(100))
    .refine((biases) => Object.keys(biases).length <= MAX_LOGIT_BIASES, `may name at most ${MAX_LOGIT_BIASES} tokens`)
    .nullish()
    .describe('Token id to a number that is added to its logit.'),
  logprobs: z.boolean().nullish().describe('Default false. Log probabilities of the answer’s tokens.'),
  top_logprobs: z.int().min(0).max(20).nullish().describe('Alternatives per token; only with logprobs: true.'),
  return_token_ids: z
    .boolean()
    .nullish()
    .describe(
      'Extension. Default false. The answer has `prompt_token_ids`, and each choice the `token_ids` that were generated.',
    ),
  return_tokens_as_token_ids: z
    .boolean()
    .nullish()
    .describe(
      'Extension. Default false. With logprobs: true, each `token` is `token_id:` and its id; its `bytes` stay what they are.',
    ),
  seed: z
    .number()
    .refine(Number.isInteger, 'must be a whole number')
    .min(-SEED_LIMIT)
    .max(SEED_LIMIT)
    .meta({ type: 'integer' })
    .nullish()
    .describe('The same seed and request give the same answer; drawn at random when left out.'),
  user: z.string().max(MAX_IDENTIFIER_CHARACTERS).nullish().describe('Your name for the end user.'),
  safety_identifier: z.string().max(MAX_IDENTIFIER_CHARACTERS).nullish().describe('The same as user.'),

  top_k: z
    .int()
    .min(-1)
    .max(1_000_000)
    .nullish()
    .describe(`Extension. ${ownDefault(0)} 0 and −1 keep all tokens.`),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe(`Extension. ${ownDefault(0)}`),
  repetition_penalty: z
    .number()
    .min(0.01)
    .max(2)
    .nullish()
    .describe(`Extension. ${ownDefault(1)}`),
  priority: z
    .enum(['high', 'normal', 'low'])
    .nullish()
    .describe(
      'Extension. Default normal. Order among your own waiting requests; it changes nothing for other tenants.',
    ),
  cache_salt: z
    .string()
    .max(MAX_IDENTIFIER_CHARACTERS)
    .nullish()
    .describe(
      'Extension. Only requests with the same salt share what was computed of their prompts. Without it, all of the tenant do.',
    ),
  stop_token_ids: z
    .array(z.int().min(0))
    .max(MAX_STOP_TOKENS)
    .nullish()
    .describe('Extension. Tokens that end the answer; they are not part of it.'),
  allowed_token_ids: z
    .array(z.int().min(0))
    .max(MAX_ALLOWED_TOKENS)
    .nullish()
    .describe(
      'Extension. Default all. No other tokens come, not even those that end a turn; an empty list changes nothing.',
    ),
  bad_words: z
    .array(z.string().max(MAX_WORD_CHARACTERS).regex(/\S/, 'must have a character that is no blank'))
    .max(MAX_BAD_WORDS)
    .nullish()
    .describe('Extension. Words that do not come, as the tokens in which the model’s tokenizer spells them.'),
  include_stop_str_in_output: z
    .boolean()
    .nullish()
    .describe('Extension. Default false. The string of `stop` that ended an answer is part of it.'),
  min_tokens: z
    .int()
    .min(0)
    .nullish()
    .describe(
      'Extension. Default 0. Only "max_tokens", or a form that is complete, ends an answer before it has so many tokens.',
    ),
  ...PROMPT_END_FIELDS,
  ignore_eos: z.boolean().nullish().describe('Extension. Default false. Goes on when the model would end its turn.'),

  response_format: ResponseFormat.nullish().describe('Default text. JSON is enforced token by token.'),
  ...ANSWER_FORM_FIELDS,
  ...TOOL_FIELDS,
  functions: harmlessOnly(z.array(z.unknown()).max(0), 'Send functions as "tools".'),
  function_call: harmlessOnly(z.enum(['none', 'auto']), 'Send it as "tool_choice".'),
  modalities: harmlessOnly(z.tuple([z.literal('text')]), 'The models here write text only.'),
  audio: harmlessOnly(z.never(), 'The models here write text only.'),
  prediction: harmlessOnly(z.never(), 'Predicted output is not supported.'),
  reasoning_effort: z
    .enum(REASONING_EFFORTS)
    .nullish()
    .describe('How much the model thinks before it answers; refused where the model can not keep to it.'),
  ...REASONING_SWITCH_FIELDS,
  chat_template_kwargs: TemplateVariables.nullish().describe(
    'Extension. Variables for the model’s chat template; names that it does not read are refused.',
  ),
  verbosity: harmlessOnly(z.literal('medium'), 'Ask for a shorter or longer answer in a message.'),
  web_search_options: harmlessOnly(z.never(), 'Web search is not supported.'),
  service_tier: harmlessOnly(z.enum(['auto', 'default']), 'There is one service tier.'),
  store: harmlessOnly(z.literal(false), 'Answers are not stored.'),
  metadata: RequestMetadata.nullish().describe('Your notes on the request, for the log.'),
  moderation: harmlessOnly(z.never(), 'Moderation is not supported.'),
  prompt_cache_key: z
    .string()
    .max(MAX_IDENTIFIER_CHARACTERS)
    .nullish()
    .describe('A hint that changes nothing: what prompts share is found by their tokens.'),
  prompt_cache_options: harmlessOnly(z.never(), 'Prompt caching cannot be steered here.'),
  prompt_cache_retention: harmlessOnly(z.enum(['in_memory', 'in-memory']), 'Prompts are kept in memory only.'),
  ...OTHER_SERVERS_FIELDS,
};

const ChatBody = z.strictObject(CHAT_FIELDS);
/** What the shared mapper reads; a dialect's own schema may only allow less. */
export type ChatBody = z.infer<typeof ChatBody>;
