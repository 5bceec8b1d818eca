import type { z } from 'zod';
import type { MillraceError } from '#contracts';
import type { OutputEvent, ParsedCall } from '#models';
import type { AnswerLogprob, AnswerTokens } from '../generate/answer-listener.ts';
import type { OutputEnd, OutputUsage } from '../generate/output/output-listener.ts';
import type { ValidGenerateRequest } from '../generate/valid-generate-request.ts';
import type { ArrayTexts } from './chat-answer/array-texts.ts';

/** A body that a dialect has accepted: the request, and how the answer is to be delivered. */
export interface ParsedBody {
  readonly request: ValidGenerateRequest;
  readonly delivery: DeliveryWishes;
}

export interface DeliveryWishes {
  readonly stream: boolean;
  /** Whether a stream ends with a chunk that tells the usage. */
  readonly includeUsage: boolean;
  /** Whether every chunk of a stream tells the usage so far. */
  readonly continuousUsage: boolean;
}

/** What stays the same in all parts of one answer. */
export interface AnswerHeading {
  readonly requestId: string;
  readonly model: string;
  readonly cardHash: string;
  /** Unix time in seconds. */
  readonly createdAt: number;
  /** Null unless token ids are told. */
  readonly promptTokenIds: readonly number[] | null;
}

/** One choice of an answer that is complete. */
export interface AnsweredChoice {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly ParsedCall[];
  /** Null when none were asked for. */
  readonly logprobs: readonly AnswerLogprob[] | ArrayTexts | null;
  /** Null unless they are told. */
  readonly tokenIds: readonly number[] | null;
  readonly end: OutputEnd;
}

/**
 * Makes the stream events of one answer, in the order of `OutputListener`'s calls; each is the JSON of one SSE event.
 * `usage` is what was used so far.
 */
export interface ChunkMapper {
  output(choice: number, parts: readonly OutputEvent[], tokens: AnswerTokens, usage: OutputUsage): unknown[];
  choiceFinished(choice: number, end: OutputEnd, usage: OutputUsage): unknown[];
  ended(usage: OutputUsage): unknown[];
}

/** The bodies of a dialect, for the OpenAPI document; each name is unique among all dialects. */
export interface DialectSchemas {
  readonly request: NamedSchema;
  readonly completion: NamedSchema;
  /** One event of a stream; null where the dialect has no streams. */
  readonly chunk: NamedSchema | null;
  readonly error: NamedSchema;
}

export interface NamedSchema {
  readonly name: string;
  readonly schema: z.ZodType;
}

/** One HTTP shape of the same request: data, a mapper in, mappers out, nothing else. */
export interface Dialect {
  readonly name: string;
  /** Where it is served, from the first slash. */
  readonly path: `/${string}`;
  readonly summary: string;
  readonly schemas: DialectSchemas;
  /** What each status of an error means here, for the OpenAPI document. */
  readonly statuses: Readonly<Record<number, string>>;
  /** Whether a comma after the last member of an object or array is read over instead of refused. */
  readonly trailingCommas: boolean;
  /** @throws MillraceError invalid_request or unsupported_parameter naming field, value and remedy */
  parse(body: unknown): ParsedBody;
  /** For a body that asks for a stream; null where none can. */
  readonly chunks: ((heading: AnswerHeading, parsed: ParsedBody) => ChunkMapper) | null;
  completion(heading: AnswerHeading, choices: readonly AnsweredChoice[], usage: OutputUsage): unknown;
  /** The HTTP status of an error that comes before the first byte of an answer. */
  statusOf(error: MillraceError): number;
  errorBody(error: MillraceError): unknown;
}
