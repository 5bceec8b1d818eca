import type { MillraceError } from '#contracts';
import type { AnswerLogprob, AnswerUsage } from '../generate/answer-listener.ts';
import type { ValidGenerateRequest } from '../generate/valid-generate-request.ts';

/** A body that a dialect has accepted: the request, and how the answer is to be delivered. */
export interface ParsedBody {
  readonly request: ValidGenerateRequest;
  readonly delivery: DeliveryWishes;
}

export interface DeliveryWishes {
  readonly stream: boolean;
  /** Whether a stream ends with a chunk that tells the usage. */
  readonly includeUsage: boolean;
}

/** What stays the same in all parts of one answer. */
export interface AnswerHeading {
  readonly requestId: string;
  readonly model: string;
  readonly cardHash: string;
  /** Unix time in seconds. */
  readonly createdAt: number;
}

/** One choice of an answer that is complete. */
export interface AnsweredChoice {
  readonly text: string;
  /** Null when none were asked for. */
  readonly logprobs: readonly AnswerLogprob[] | null;
  readonly finishReason: 'stop' | 'length';
}

/** Makes the stream events of one answer, in the order of `AnswerListener`'s calls; each is the JSON of one SSE event. */
export interface ChunkMapper {
  text(choice: number, text: string, logprobs: readonly AnswerLogprob[]): unknown[];
  choiceFinished(choice: number, reason: 'stop' | 'length'): unknown[];
  ended(usage: AnswerUsage): unknown[];
}

/** One HTTP shape of the same request: a mapper in, mappers out, nothing else. */
export interface Dialect {
  readonly name: string;
  /** @throws MillraceError invalid_request or unsupported_parameter naming field, value and remedy */
  parse(body: unknown): ParsedBody;
  chunks(heading: AnswerHeading, parsed: ParsedBody): ChunkMapper;
  completion(heading: AnswerHeading, choices: readonly AnsweredChoice[], usage: AnswerUsage): unknown;
  errorBody(error: MillraceError): unknown;
}
