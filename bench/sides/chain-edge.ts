import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { serveSide } from '../side.ts';
import { CHAIN_METHOD, CHAIN_QUEUE, type ChainMessage } from './chain-wire.ts';

/**
 * The edge of the bare chain: Node's HTTP server, one script in Redis, BullMQ's `add`, one gRPC stream, SSE. As many borders as
 * Millrace's API has, and nothing between them: no keys, limits, prompts, records, metrics.
 */
export interface ChainAddresses {
  readonly url: string;
  readonly relayAddress: string;
}

const ADMIT = "return redis.call('INCR', KEYS[1])";

serveSide<{ redisUrl: string }, object, ChainAddresses>(async ({ redisUrl }) => {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
  const hash = String(await redis.script('LOAD', ADMIT));
  const queue = new Queue(CHAIN_QUEUE, { connection: redis });
  await queue.waitUntilReady();
  const open = new Map<string, ServerResponse>();

  const relay = new Server();
  const attach = (call: ServerDuplexStream<ChainMessage, ChainMessage>) => {
    call.on('data', (message: ChainMessage) => {
      if (message.kind === 'claim') call.write({ kind: 'grant', id: message.id } satisfies ChainMessage);
      if (message.kind !== 'token') return;
      const response = open.get(message.id);
      response?.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: message.text } }] })}\n\n`);
      if (!message.last) return;
      open.delete(message.id);
      response?.end('data: [DONE]\n\n');
    });
  };
  relay.addService({ attach: { ...CHAIN_METHOD, originalName: 'attach' } }, { attach });
  const relayPort = await new Promise<number>((resolve, reject) => {
    relay.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const { max_tokens: tokens } = JSON.parse(text);
    const id = randomUUID();
    await redis.evalsha(hash, 1, 'bare-chain:admitted');
    open.set(id, response);
    response.socket?.setNoDelay(true);
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    const order = { jobId: id, priority: 1, removeOnComplete: true, removeOnFail: true };
    await queue.add('generate', { id, tokens }, order);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return async () => ({ url: `http://127.0.0.1:${port}`, relayAddress: `127.0.0.1:${relayPort}` });
});
