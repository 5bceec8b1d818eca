import { z } from 'zod';
import { harmlessOnly } from '../../body/harmless-only.ts';

const NO_BEAMS = 'Tokens are sampled one by one, without beams.';
const NO_SAMPLER = 'There is no such sampler here; temperature, top_k, top_p and min_p choose what is kept.';
const NO_PROMPT_TOKENS = 'Answers tell nothing of the prompt’s tokens but their ids, with "return_token_ids".';
const AS_TOKEN_IDS = 'Send "return_token_ids".';
const OWN_TEMPLATE = 'Messages are rendered by the model’s own template.';
const AS_SCHEMA = 'Send a JSON schema as "response_format" with the type "json_schema".';
const AS_MAX_TOKENS = 'Send it as "max_tokens".';
const AS_MESSAGES = 'Send it as a message in "messages".';
const AS_EFFORT = 'Send "reasoning_effort", or what the model’s template reads as "chat_template_kwargs".';
const AS_MEMBERS = 'Send its members by themselves, beside "model".';

const changesNothing = (schema: z.ZodType, reason: string) => schema.nullish().describe(`Changes nothing: ${reason}.`);

/** A field that only says how something else is to be done, which is refused itself. */
const partOf = (field: string) =>
  z.unknown().optional().describe(`Changes nothing without ${field}, which is refused.`);

/**
 * Fields of other servers that clients send here as well, often with the value that asks for nothing: those are taken,
 * any other is refused with what to send instead. Names of vLLM, llama.cpp, SGLang, Ollama, OpenRouter and Anthropic.
 */
export const OTHER_SERVERS_FIELDS = {
  // Lengths and stops
  n_predict: harmlessOnly(z.literal(-1), AS_MAX_TOKENS),
  max_new_tokens: harmlessOnly(z.never(), AS_MAX_TOKENS),
  max_output_tokens: harmlessOnly(z.never(), AS_MAX_TOKENS),
  num_predict: harmlessOnly(z.never(), AS_MAX_TOKENS),
  stop_sequences: harmlessOnly(z.array(z.never()).max(0), 'Send it as "stop".'),
  truncate_prompt_tokens: harmlessOnly(z.never(), 'Nothing is cut off a conversation; send fewer messages.'),
  t_max_predict_ms: harmlessOnly(z.number().max(0), 'Send the header x-request-timeout-ms.'),
  n_keep: changesNothing(z.int(), 'nothing is cut off a conversation'),
  n_discard: changesNothing(z.int(), 'nothing is cut off a conversation'),

  // Choice of tokens
  repeat_penalty: harmlessOnly(z.literal(1), 'Send it as "repetition_penalty".'),
  repeat_last_n: harmlessOnly(z.literal(-1), 'Penalties look at all tokens.'),
  random_seed: harmlessOnly(z.never(), 'Send it as "seed".'),
  best_of: harmlessOnly(z.literal(1), 'Send "n" and choose among the answers.'),
  use_beam_search: harmlessOnly(z.literal(false), NO_BEAMS),
  num_beams: harmlessOnly(z.literal(1), NO_BEAMS),
  length_penalty: harmlessOnly(z.literal(1), NO_BEAMS),
  early_stopping: harmlessOnly(z.literal(false), NO_BEAMS),
  do_sample: harmlessOnly(z.literal(true), 'Send "temperature": 0 for the most likely tokens.'),
  typical_p: harmlessOnly(z.literal(1), NO_SAMPLER),
  tfs_z: harmlessOnly(z.literal(1), NO_SAMPLER),
  top_a: harmlessOnly(z.literal(0), NO_SAMPLER),
  top_n_sigma: harmlessOnly(z.number().max(0), NO_SAMPLER),
  min_keep: harmlessOnly(z.literal(0), NO_SAMPLER),
  mirostat: harmlessOnly(z.literal(0), NO_SAMPLER),
  mirostat_tau: partOf('mirostat'),
  mirostat_eta: partOf('mirostat'),
  dynatemp_range: harmlessOnly(z.literal(0), NO_SAMPLER),
  dynatemp_exponent: partOf('dynatemp_range'),
  dry_multiplier: harmlessOnly(z.literal(0), NO_SAMPLER),
  dry_base: partOf('dry_multiplier'),
  dry_allowed_length: partOf('dry_multiplier'),
  dry_penalty_last_n: partOf('dry_multiplier'),
  dry_sequence_breakers: partOf('dry_multiplier'),
  xtc_probability: harmlessOnly(z.literal(0), NO_SAMPLER),
  xtc_threshold: partOf('xtc_probability'),
  samplers: harmlessOnly(z.never(), 'The order of samplers is fixed.'),
  no_repeat_ngram_size: harmlessOnly(z.literal(0), NO_SAMPLER),
  logits_processors: harmlessOnly(z.array(z.never()).max(0), 'Code of a client’s is not run here.'),

  // What the answer must be
  guided_decoding_backend: changesNothing(z.string(), 'there is one way in which forms are enforced'),
  guided_whitespace_pattern: harmlessOnly(z.literal(''), 'JSON is written compactly.'),
  format: harmlessOnly(z.literal(''), AS_SCHEMA),
  parse_tool_calls: harmlessOnly(
    z.literal(true),
    'Calls are always told as "tool_calls"; send no tools for plain text.',
  ),

  // What the prompt is made of
  echo: harmlessOnly(z.literal(false), NO_PROMPT_TOKENS),
  suffix: harmlessOnly(z.literal(''), AS_MESSAGES),
  prompt: harmlessOnly(z.never(), AS_MESSAGES),
  input: harmlessOnly(z.never(), AS_MESSAGES),
  system: harmlessOnly(z.literal(''), 'Send it as a message of the role "system".'),
  instructions: harmlessOnly(z.literal(''), 'Send it as a message of the role "system".'),
  documents: harmlessOnly(z.array(z.never()).max(0), AS_MESSAGES),
  chat_template: harmlessOnly(z.never(), OWN_TEMPLATE),
  add_special_tokens: harmlessOnly(z.literal(false), OWN_TEMPLATE),
  mm_processor_kwargs: harmlessOnly(z.record(z.string(), z.never()), 'The models here read text only.'),
  safe_prompt: harmlessOnly(z.literal(false), AS_MESSAGES),

  // What is told of the answer
  skip_special_tokens: harmlessOnly(z.literal(true), 'Special tokens are never shown.'),
  spaces_between_special_tokens: changesNothing(z.boolean(), 'special tokens are never shown'),
  prompt_logprobs: harmlessOnly(z.never(), NO_PROMPT_TOKENS),
  n_probs: harmlessOnly(z.literal(0), 'Send "logprobs" and "top_logprobs".'),
  post_sampling_probs: harmlessOnly(z.literal(false), 'Send "logprobs": they are those before sampling.'),
  return_tokens: harmlessOnly(z.literal(false), AS_TOKEN_IDS),
  timings_per_token: harmlessOnly(z.literal(false), 'GET /v1/requests/{id} tells how long it took.'),
  return_progress: harmlessOnly(z.literal(false), 'Streams tell the place in the queue as comments.'),
  include_reasoning: harmlessOnly(z.literal(true), 'Reasoning is told as "reasoning_content".'),
  separate_reasoning: harmlessOnly(z.literal(true), 'Reasoning is told as "reasoning_content".'),
  reasoning_format: harmlessOnly(z.enum(['auto', 'deepseek']), 'Reasoning is told as "reasoning_content".'),
  usage: harmlessOnly(z.never(), 'Whole answers tell it; streams with "stream_options": {"include_usage": true}.'),

  // Reasoning
  reasoning: harmlessOnly(z.never(), AS_EFFORT),
  thinking_budget: harmlessOnly(z.never(), AS_EFFORT),
  reasoning_budget: harmlessOnly(z.literal(-1), AS_EFFORT),

  // How the request is handled
  cache_prompt: changesNothing(z.boolean(), 'what prompts share is found by their tokens'),
  id_slot: harmlessOnly(z.literal(-1), 'Slots are given out by the scheduler.'),
  request_id: harmlessOnly(z.never(), 'Send it as the header x-request-id.'),
  timeout: harmlessOnly(z.never(), 'Send the header x-request-timeout-ms.'),
  extra_body: harmlessOnly(z.record(z.string(), z.never()), AS_MEMBERS),
  extra_headers: harmlessOnly(z.record(z.string(), z.never()), 'Send them as headers.'),
  options: harmlessOnly(z.record(z.string(), z.never()), AS_MEMBERS),
  keep_alive: changesNothing(z.union([z.string(), z.number()]), 'models stay loaded'),
};
