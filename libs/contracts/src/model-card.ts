import { z } from 'zod';
import { SamplingDefaults } from './sampling-defaults.ts';

/**
 * What an API replica needs of a model to validate, render and tokenize a request for it without the model's files.
 * Workers publish it under the SHA-256 of its canonical JSON; it never changes under one hash. An API passes over fields
 * that it does not know; one that must not be passed over needs a new version.
 */
export const ModelCard = z.object({
  version: z.literal(1),
  /** The id that clients send as `model`. */
  model: z.string().min(1),
  /** Contents of tokenizer.json, as text. */
  tokenizerJson: z.string(),
  /** Jinja source of the chat template. */
  chatTemplate: z.string(),
  /**
   * Name of the format of tool calls and reasoning (libs/models/src/output-formats), where the operator chose one; absent
   * for what the chat template tells. Readers pass over fields that they do not know.
   */
  outputFormat: z.string().optional(),
  /** Values that the template may read: bos_token, eos_token, … */
  templateTokens: z.record(z.string(), z.string()),
  /** Prompt and answer together, in tokens, that a slot of the serving workers can hold. */
  contextLength: z.int().min(2),
  vocabularySize: z.int().min(1),
  /** Tokens that end a turn. */
  eosTokenIds: z.array(z.int().min(0)),
  /** What requests get that do not say; absent where the model's makers recommend nothing, or nobody wants to hear of it. */
  samplingDefaults: SamplingDefaults.optional(),
  /** Unix time in seconds, for `GET /v1/models`; 0 where nothing tells, as with model folders. The same of all its workers. */
  createdAt: z.int(),
  ownedBy: z.string(),
});
export type ModelCard = z.infer<typeof ModelCard>;
