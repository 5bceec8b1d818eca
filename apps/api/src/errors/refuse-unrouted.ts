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

/** Answers bytes that are no HTTP request with OpenAI's body, and closes their connection. */
export function refuseConnection(problem: Error & { readonly code?: string }, socket: Socket): void {
  if (problem.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { status, message } = CONNECTION_PROBLEMS[problem.code ?? ''] ?? NO_HTTP;
    const body = JSON.stringify(OPENAI_CHAT.errorBody(new MillraceError('invalid_request', message)));
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      `x-request-id: req_${randomUUID().replaceAll('-', '')}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  }
  socket.destroy(problem);
}
