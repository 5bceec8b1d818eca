import { Worker as Thread } from 'node:worker_threads';
import { Client, credentials } from '@grpc/grpc-js';
import { type Job, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { serveSide } from '../side.ts';
import { CHAIN_METHOD, CHAIN_QUEUE, type ChainJob, type ChainMessage } from './chain-wire.ts';

/**
 * The other end of the bare chain: BullMQ's worker, a claim over the gRPC stream before anything runs, and a thread that makes
 * tokens out of nothing, one message each.
 */
const THREAD = `
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', ({ id, tokens }) => {
    for (let index = 1; index <= tokens; index += 1) {
      parentPort.postMessage({ kind: 'token', id, text: ' word', last: index === tokens });
    }
  });
`;

serveSide<{ redisUrl: string; relayAddress: string; concurrency: number }, object, null>(
  async ({ redisUrl, relayAddress, concurrency }) => {
    const client = new Client(relayAddress, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = CHAIN_METHOD;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const thread = new Thread(THREAD, { eval: true });
    const granted = new Map<string, () => void>();
    const ended = new Map<string, () => void>();
    const settle = (waiting: Map<string, () => void>, id: string) => {
      waiting.get(id)?.();
      waiting.delete(id);
    };
    call.on('data', (message: ChainMessage) => settle(granted, message.id));
    thread.on('message', (message: ChainMessage) => {
      call.write(message);
      if (message.kind === 'token' && message.last) settle(ended, message.id);
    });
    const run = async ({ data }: Job<ChainJob>) => {
      const grant = new Promise<void>((resolve) => granted.set(data.id, resolve));
      const end = new Promise<void>((resolve) => ended.set(data.id, resolve));
      call.write({ kind: 'claim', id: data.id } satisfies ChainMessage);
      await grant;
      thread.postMessage(data);
      await end;
    };
    const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
    const worker = new Worker<ChainJob>(CHAIN_QUEUE, run, { connection, concurrency });
    await worker.waitUntilReady();
    return async () => null;
  },
);
