import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '#contracts';
import { dialectAt } from '../dialects/dialects.ts';
import { OPENAI_CHAT } from '../dialects/openai-chat/openai-chat-dialect.ts';

interface ConnectionProblem {
  readonly status: number;
  readonly message: string;
}

const CONNECTION_PROBLEMS: Readonly<Record<string, ConnectionProblem>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    message: 'The request headers are larger than this server takes. Send smaller ones.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request took too long to arrive. Send it again.' },
};
const NO_HTTP: ConnectionProblem = {
  status: 400,
  message: 'What arrived is no HTTP/1.1 request. Look at its first line, its headers and the length of its body.',
};

/** How long a refused connection is read for its client to take the answer. */
const REFUSED_READ_MS = 2_000;

/**
 * Answers what no route and no filter ever sees, because its address can not be read, in the body of the dialect that it
 * was meant for.
 */
export function refuseAddress(_: Error, request: FastifyRequest, reply: FastifyReply): void {
  const [path = '/'] = request.url.split('?', 1);
  const message = `${JSON.stringify(path.slice(0, 256))} can not be read as an address. Encode it as RFC 3986 has it, and keep it short.`;
  const error = new MillraceError('invalid_request', message);
  const dialect = dialectAt(path) ?? OPENAI_CHAT;
  reply.header('x-request-id', request.id).status(dialect.statusOf(error)).send(dialect.errorBody(error));
}

/** Connections that were refused. What still arrives on them is read and means nothing. */
const refused = new WeakSet<Socket>();

/**
 * Answers bytes that are no HTTP request with OpenAI's body, and ends their connection: our side at once, the other when
 * the client closes it or `REFUSED_READ_MS` have passed. A connection closed while it has bytes that nobody read is reset,
 * and its client may then never see the answer.
 */
export function refuseConnection(problem: Error & { readonly code?: string }, socket: Socket): void {
  if (problem.code === 'ECONNRESET' || socket.destroyed || refused.has(socket)) return;
  if (!socket.writable) {
    socket.destroy(problem);
    return;
  }
  refused.add(socket);
  const { status, message } = CONNECTION_PROBLEMS[problem.code ?? ''] ?? NO_HTTP;
  const body = JSON.stringify(OPENAI_CHAT.errorBody(new MillraceError('invalid_request', message)));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `x-request-id: req_${randomUUID().replaceAll('-', '')}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  const limit = setTimeout(() => socket.destroy(), REFUSED_READ_MS).unref();
  socket.once('close', () => clearTimeout(limit));
}
