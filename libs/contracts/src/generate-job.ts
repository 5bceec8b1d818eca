import { z } from 'zod';
import { OutputConstraint } from './output-constraint.ts';
import { SamplingParameters } from './sampling-parameters.ts';
import { StopConditions } from './stop-conditions.ts';
import { TokenLimits } from './token-limits.ts';

/**
 * Raised when a reader of the previous version could misread a job. A worker reads this version and the one before, and
 * an API writes what the oldest worker of the model reads (libs/queue). Since version 2 a reader passes over fields that
 * it does not know, except those that the job says it requires.
 */
export const JOB_VERSION = 2;
export const OLDEST_JOB_VERSION = 1;

/** Of a request's first attempt, before which nothing was delivered. */
export const FIRST_EPOCH = 1;

/**
 * The queue's record of one attempt of a request: everything a worker needs, and nothing that grows with the answer.
 * It is data of the cluster, never of a client: the API builds it from a validated request.
 */
export const GenerateJob = z.object({
  version: z.literal(JOB_VERSION),
  requestId: z.string().min(1),
  /** Number of the attempt, from `FIRST_EPOCH`. Frames of any other epoch are refused by the API. */
  epoch: z.int().min(FIRST_EPOCH),
  model: z.string().min(1),
  /** Content hash of the model card whose tokenizer made the prompt. A worker with another card refuses the job. */
  cardHash: z.string().min(1),
  tenantId: z.string().min(1),
  /** The tenant's share of seats relative to others'; left out where it is 1, as older workers do not know the field. */
  weight: z.number().positive().optional(),
  /** Only requests with the same one share computed prompts; left out where there is none. Readers that do not know it share none. */
  cacheSalt: z.string().min(1).optional(),
  promptTokenIds: z.array(z.int().min(0)).min(1),
  /**
   * The prompt ends in a text that the answer goes on with: the blank before its first word is part of it. Left out where it
   * begins one. Readers that do not know it leave that blank out, with the tokenizers that leave it out of texts' beginnings.
   */
  continuesText: z.literal(true).optional(),
  choices: z.int().min(1),
  sampling: SamplingParameters,
  stop: StopConditions,
  /** Absent for free text. A reader that does not know it must refuse the job: never an answer without its constraint. */
  constraint: OutputConstraint.optional(),
  /** Left out where any token may come. A reader that does not know it must refuse the job. */
  tokenLimits: TokenLimits.optional(),
  /** Number of alternatives per token besides the chosen one; null when no log probabilities are wanted. */
  topLogprobs: z.int().min(0).max(20).nullable(),
  /** `fast`: another attempt prefills what was delivered: quicker, and not bit for bit the same. Left out for `exact`. */
  resume: z.literal('fast').optional(),
  /** Nobody reads the answer before it is complete: its tokens may come several at a time. Left out where somebody does. */
  whole: z.literal(true).optional(),
  /** Relay address, host:port, of the API replica that holds the client. */
  relayAddress: z.string().min(1),
  replicaId: z.string().min(1),
  /** Unix time in ms. */
  enqueuedAtMs: z.int(),
  /** Unix time in ms after which the job is not run any more; null for none. */
  deadlineMs: z.int().nullable(),
  /** W3C trace context of the request. */
  traceparent: z.string().nullable(),
});
export type GenerateJob = z.infer<typeof GenerateJob>;
