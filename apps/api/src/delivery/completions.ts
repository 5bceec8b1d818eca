import { once } from 'node:events';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AnswerHeading, ChunkMapper, Dialect, ParsedBody } from '../dialects/dialect.ts';
import type { Answer } from '../generate/answer.ts';
import type { Generation } from '../generate/generation.ts';
import { OutputReader } from '../generate/output/output-reader.ts';
import type { PreparedGeneration, ReplyTarget } from '../generate/prepared-generation.ts';
import type { RequestContext } from '../generate/request-context.ts';
import { CollectedAnswer } from './collected-answer.ts';
import type { OpenRequests } from './open-requests.ts';
import { requestContext } from './request-edge.ts';
import { SseStream } from './sse-stream.ts';
import { StreamedAnswer } from './streamed-answer.ts';

export interface CompletionsOptions {
  readonly maxBufferedBytes: number;
  readonly keepaliveMs: number;
}

/** Answers chat completion requests of any dialect over HTTP, streamed or whole. */
export class Completions {
  readonly #generation: Generation;
  readonly #openRequests: OpenRequests;
  readonly #options: CompletionsOptions;

  constructor(generation: Generation, openRequests: OpenRequests, options: CompletionsOptions) {
    this.#generation = generation;
    this.#openRequests = openRequests;
    this.#options = options;
  }

  /** @throws MillraceError as long as nothing was sent */
  async answer(dialect: Dialect, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    await this.#openRequests.during(this.#answer(dialect, request, reply));
  }

  async #answer(dialect: Dialect, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const parsed = dialect.parse(request.body);
    request.endUser = parsed.request.user;
    const context = requestContext(request, reply);
    const prepared = await this.#generation.prepare(parsed.request, context);
    const heading = headingOf(prepared);
    if (parsed.delivery.stream && dialect.chunks !== null) {
      const mapper = dialect.chunks(heading, parsed);
      await this.#stream(dialect, mapper, prepared, context, reply);
    } else {
      await this.#collect(dialect, heading, parsed, prepared, context, reply);
    }
  }

  async #stream(
    dialect: Dialect,
    mapper: ChunkMapper,
    prepared: PreparedGeneration,
    context: RequestContext,
    reply: FastifyReply,
  ): Promise<void> {
    const stream = new SseStream(reply.raw, { ...this.#options, headers: () => headersOf(reply) });
    const target = new StreamedAnswer(stream, mapper, dialect.errorBody);
    try {
      await this.#run(
        prepared,
        {
          ...context,
          tell: (standing) => {
            context.tell(standing);
            target.standing = standing;
          },
        },
        target,
      );
    } finally {
      target.abandon();
    }
    if (target.failureBeforeOpening !== null) throw target.failureBeforeOpening;
    reply.hijack();
    if (!reply.raw.closed) await once(reply.raw, 'close').catch(() => {});
  }

  async #collect(
    dialect: Dialect,
    heading: AnswerHeading,
    parsed: ParsedBody,
    prepared: PreparedGeneration,
    context: RequestContext,
    reply: FastifyReply,
  ): Promise<void> {
    const target = new CollectedAnswer(parsed.request.choices, parsed.request.topLogprobs !== null);
    await this.#run(prepared, context, target);
    const result = target.result();
    if (result === null) reply.hijack();
    else await reply.status(200).send(dialect.completion(heading, result.choices, result.usage));
  }

  #run(prepared: PreparedGeneration, context: RequestContext, target: ReplyTarget): Promise<Answer> {
    return this.#generation.run(prepared, context, {
      listener: new OutputReader(prepared.reading, target.listener),
      accepted: (answer) => {
        this.#openRequests.track(answer);
        target.accepted(answer);
      },
    });
  }
}

function headingOf({ model, job }: PreparedGeneration): AnswerHeading {
  return {
    requestId: job.requestId,
    model: job.model,
    cardHash: model.cardHash,
    createdAt: Math.floor(job.enqueuedAtMs / 1_000),
  };
}

/** What hooks and the admission have set on the reply, for a response that is written past it. */
function headersOf(reply: FastifyReply): Record<string, string> {
  const headers = Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)] as const);
  return Object.fromEntries(headers);
}
