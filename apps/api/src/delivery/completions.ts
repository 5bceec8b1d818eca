import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type GenerateJob, MillraceError } from '#contracts';
import { idempotencyKeyHash } from '#requests';
import type { AnswerHeading, Dialect, ParsedBody } from '../dialects/dialect.ts';
import { dialectAt } from '../dialects/dialects.ts';
import { Answer } from '../generate/answer.ts';
import type { Generation } from '../generate/generation.ts';
import { type AnswerDesk, fingerprintOf } from '../generate/kept/answer-desk.ts';
import type { AnswerFollower } from '../generate/kept/answer-follower.ts';
import { OutputReader } from '../generate/output/output-reader.ts';
import type { AcceptedAnswer, ReplyTarget } from '../generate/prepared-generation.ts';
import type { KeepWish, RequestContext } from '../generate/request-context.ts';
import { WorkTurns } from '../turns/work-turns.ts';
import { CollectedAnswer } from './collected-answer.ts';
import { EventNumbers } from './event-numbers.ts';
import { holdsTexts, jsonInPieces } from './json-in-pieces.ts';
import { keepHeadersOf } from './keep-headers.ts';
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
  readonly #desk: AnswerDesk;
  readonly #follower: AnswerFollower;
  readonly #options: CompletionsOptions;
  readonly #turns = new WorkTurns();

  constructor(
    generation: Generation,
    openRequests: OpenRequests,
    desk: AnswerDesk,
    follower: AnswerFollower,
    options: CompletionsOptions,
  ) {
    this.#generation = generation;
    this.#desk = desk;
    this.#follower = follower;
    this.#openRequests = openRequests;
    this.#options = options;
  }

  /** @throws MillraceError as long as nothing was sent */
  async answer(dialect: Dialect, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    await this.#openRequests.during(this.#answer(dialect, request, reply));
  }

  /**
   * Tells a kept answer again, in the way in which it was asked for, behind what the client has.
   * @throws MillraceError not_found when it is not kept
   */
  async resume(requestId: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { lastEventId } = keepHeadersOf(request.headers);
    await this.#openRequests.during(this.#attach(requestId, lastEventId, requestContext(request, reply), reply));
  }

  async #answer(dialect: Dialect, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const context = requestContext(request, reply);
    await this.#turns.next(context.tenant.tenantId);
    const parsed = dialect.parse(request.body);
    request.endUser = parsed.request.user;
    request.metadata = parsed.request.metadata;
    const { idempotencyKey, resumable, lastEventId } = keepHeadersOf(request.headers);
    if (idempotencyKey === null) {
      if (lastEventId !== null) throw nothingToResume();
      const keep = resumable ? { keyHash: null, path: dialect.path, body: request.body, paidMicrocredits: 0 } : null;
      await this.#begin(dialect, parsed, { ...context, keep }, reply);
      return;
    }
    const { requestId, tenant } = context;
    const keyHash = idempotencyKeyHash(idempotencyKey);
    const fingerprint = fingerprintOf(dialect.path, request.body);
    const use = { tenantId: tenant.tenantId, keyHash, fingerprint, requestId };
    const outcome = await this.#desk.use(use);
    if (outcome.kind === 'attach') {
      reply.header('idempotent-replayed', 'true');
      await this.#attach(outcome.requestId, lastEventId, context, reply);
      return;
    }
    const keep = { keyHash, path: dialect.path, body: request.body, paidMicrocredits: outcome.paidMicrocredits };
    let queued = false;
    try {
      if (lastEventId !== null) throw nothingToResume();
      await this.#begin(dialect, parsed, { ...context, keep }, reply, () => (queued = true));
    } catch (error) {
      if (!queued) await this.#desk.release(use);
      throw error;
    }
  }

  async #begin(
    dialect: Dialect,
    parsed: ParsedBody,
    context: RequestContext,
    reply: FastifyReply,
    onQueued: () => void = () => {},
  ): Promise<void> {
    const known = { ...context, whole: chunksOf(dialect, parsed) === null };
    const prepared = await this.#generation.prepare(parsed.request, known);
    const work: Work = (target, heard) =>
      this.#generation.run(prepared, heard, {
        listener: new OutputReader(prepared.reading, target.listener),
        accepted: (course) => {
          onQueued();
          this.#openRequests.track(course);
          target.accepted(course);
        },
      });
    await this.#deliver({ dialect, parsed, job: prepared.job, lastEventId: null }, known, reply, work);
  }

  async #attach(
    requestId: string,
    lastEventId: string | null,
    context: RequestContext,
    reply: FastifyReply,
  ): Promise<void> {
    const id = { tenantId: context.tenant.tenantId, requestId };
    const { path, body, job, reasoning, begun } = await this.#desk.find(id);
    const dialect = dialectAt(path);
    if (dialect === null)
      throw new MillraceError('internal_error', `A kept request is of ${path}, which is not served.`);
    const parsed = dialect.parse(body);
    const reading = await this.#generation.readingOf(job, parsed.request, { reasoning, begun });
    const work: Work = async (target) => {
      const answer = new Answer(job.promptTokenIds.length, job.choices, new OutputReader(reading, target.listener));
      const leave = () => answer.abandon();
      if (context.gone.aborted) leave();
      else context.gone.addEventListener('abort', leave, { once: true });
      const open: AcceptedAnswer = { answer, kept: true, handOver: leave };
      this.#openRequests.track(open);
      target.accepted(open);
      await this.#follower.follow(id, answer);
      return answer;
    };
    await this.#deliver({ dialect, parsed, job, lastEventId }, { ...context, keep: KEPT_ALREADY }, reply, work);
  }

  async #deliver(asked: Asked, context: RequestContext, reply: FastifyReply, work: Work): Promise<void> {
    const { dialect, parsed } = asked;
    const chunks = chunksOf(dialect, parsed);
    if (chunks === null) await this.#collect(asked, context, reply, work);
    else await this.#stream(asked, chunks, context, reply, work);
  }

  async #stream(
    { dialect, parsed, job, lastEventId }: Asked,
    chunks: NonNullable<Dialect['chunks']>,
    context: RequestContext,
    reply: FastifyReply,
    work: Work,
  ): Promise<void> {
    const stream = new SseStream(reply.raw, { ...this.#options, headers: () => headersOf(reply) });
    const numbers = context.keep === null ? null : new EventNumbers(job.choices, lastEventId);
    const target = new StreamedAnswer(stream, chunks(headingOf(job, parsed), parsed), dialect.errorBody, numbers);
    const tell: RequestContext['tell'] = (standing) => {
      context.tell(standing);
      target.standing = standing;
    };
    try {
      const answer = await work(target, { ...context, tell });
      if (answer.state === 'abandoned' && !reply.raw.destroyed && !target.breakOff()) throw elsewhere();
    } finally {
      target.abandon();
    }
    if (target.failureBeforeOpening !== null) throw target.failureBeforeOpening;
    reply.hijack();
    if (!reply.raw.closed) await once(reply.raw, 'close').catch(() => {});
  }

  async #collect(
    { dialect, parsed, job }: Asked,
    context: RequestContext,
    reply: FastifyReply,
    work: Work,
  ): Promise<void> {
    const target = new CollectedAnswer(parsed.request);
    await work(target, context);
    const { tenantId } = context.tenant;
    await this.#turns.next(tenantId);
    const result = target.result();
    if (result !== null) {
      const body = dialect.completion(headingOf(job, parsed), result.choices, result.usage);
      await (holdsTexts(body) ? this.#sendInPieces(body, tenantId, reply) : reply.status(200).send(body));
    } else if (reply.raw.destroyed) reply.hijack();
    else throw elsewhere();
  }

  /** Log probabilities of a long answer are a megabyte of JSON: to write it at once would hold up everybody for milliseconds. */
  async #sendInPieces(body: unknown, tenantId: string, reply: FastifyReply): Promise<void> {
    const parts = partsOf(jsonInPieces(body));
    const turns = this.#turns;
    async function* oneByOne() {
      for (const part of parts) {
        await turns.next(tenantId);
        yield part;
      }
    }
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    reply.status(200).type('application/json; charset=utf-8').header('content-length', length);
    await reply.send(Readable.from(oneByOne()));
  }
}

/** Written before others have their turn. */
const PART_BYTES = 65_536;

function partsOf(pieces: Iterable<string>): Buffer[] {
  const parts: Buffer[] = [];
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < PART_BYTES) continue;
    parts.push(Buffer.from(text));
    text = '';
  }
  return [...parts, Buffer.from(text)];
}

/** Makes an answer and tells it to the target. */
type Work = (target: ReplyTarget, context: RequestContext) => Promise<Answer>;

interface Asked {
  readonly dialect: Dialect;
  readonly parsed: ParsedBody;
  /** Of the first attempt. */
  readonly job: GenerateJob;
  /** Id of the last event that the client has; null for none. */
  readonly lastEventId: string | null;
}

/** Nothing is kept a second time; but its events are numbered. */
const KEPT_ALREADY: KeepWish = { keyHash: null, path: '', body: null, paidMicrocredits: 0 };

/** How the answer is streamed; null where it is sent whole. */
function chunksOf({ chunks }: Dialect, { delivery }: ParsedBody): Dialect['chunks'] {
  return delivery.stream ? chunks : null;
}

function elsewhere(): MillraceError {
  return new MillraceError('unavailable', 'This server is stopping. Send the request again.', { retryAfterMs: 1_000 });
}

function nothingToResume(): MillraceError {
  return new MillraceError(
    'not_found',
    'Last-Event-ID names an event of an answer that is not kept (any more). Send the request without it, or ask for the ' +
      'answer at /v1/requests/{id}/answer.',
    { param: 'Last-Event-ID' },
  );
}

function headingOf(job: GenerateJob, { request }: ParsedBody): AnswerHeading {
  return {
    requestId: job.requestId,
    model: job.model,
    cardHash: job.cardHash,
    createdAt: Math.floor(job.enqueuedAtMs / 1_000),
    promptTokenIds: request.tellsTokenIds ? job.promptTokenIds : null,
  };
}

/** What hooks and the admission have set on the reply, for a response that is written past it. */
function headersOf(reply: FastifyReply): Record<string, string> {
  const headers = Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)] as const);
  return Object.fromEntries(headers);
}
