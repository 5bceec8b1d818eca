import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { LedgerWebhook, TenantAccount, TenantStore } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { RedisServer } from '../../support/redis-server.ts';

const SECRET = 'a-secret-of-the-receiver';

interface Delivery {
  readonly id: string;
  readonly signature: string;
  readonly expected: string;
  readonly body: { type: string; tenantId: string; entries: { id: string; requestId: string; credits: number }[] };
}

let server: RedisServer;
let redis: Redis;
let receiver: Server;
let deliveries: Delivery[];
/** What the receiver answers to the next deliveries; 200 when there is nothing more. */
let answers: number[];

beforeAll(async () => {
  server = await RedisServer.start();
  redis = connectRedis(server.url, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  receiver = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const id = String(request.headers['webhook-id']);
      const signed = `${id}.${request.headers['webhook-timestamp']}.${text}`;
      const expected = `v1,${createHmac('sha256', SECRET).update(signed).digest('base64')}`;
      const signature = String(request.headers['webhook-signature']);
      deliveries.push({ id, signature, expected, body: JSON.parse(text) });
      response.statusCode = answers.shift() ?? 200;
      response.end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  receiver.close();
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

const webhooks: LedgerWebhook[] = [];
beforeEach(async () => {
  await redis.flushall();
  deliveries = [];
  answers = [];
  for (const id of ['team-a', 'team-b']) await new TenantStore(redis).put({ id });
});
afterEach(async () => {
  for (const webhook of webhooks.splice(0)) await webhook[Symbol.asyncDispose]();
});

function start(memberId: string): { webhook: LedgerWebhook; problems: unknown[] } {
  const problems: unknown[] = [];
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/ledger`;
  const onProblem = (error: unknown) => problems.push(error);
  const webhook = new LedgerWebhook({ redis, url, secret: SECRET, memberId, intervalMs: 20, retryMs: 20, onProblem });
  webhooks.push(webhook);
  return { webhook, problems };
}

const grant = (tenantId: string, grantId: string) => new TenantAccount(redis, tenantId).grant(grantId, 2_000_000);
const received = () => deliveries.flatMap(({ body }) => body.entries.map((entry) => entry.requestId));
const unconfirmed = async () => (await redis.xpending(redisKeys.ledger('team-a'), 'webhook'))[0];

describe('LedgerWebhook', () => {
  it('sends every entry of every tenant, signed, with an id that tells repetitions', async () => {
    await grant('team-a', 'a1');
    await grant('team-b', 'b1');
    start('one');
    await vi.waitFor(() => expect(received().sort()).toEqual(['a1', 'b1']));
    await grant('team-a', 'a2');
    await vi.waitFor(() => expect(received()).toContain('a2'));
    for (const { signature, expected } of deliveries) expect(signature).toBe(expected);
    const { body } = deliveries.find(({ body }) => body.tenantId === 'team-a')!;
    expect(body).toMatchObject({ type: 'ledger.entries', entries: [{ requestId: 'a1', credits: 2 }] });
    expect(body.entries[0]!.id).toMatch(/^team-a\/\d+-\d+$/);
    await vi.waitFor(async () => expect(await unconfirmed()).toBe(0));
  });

  it('repeats what was refused until it is taken, under the same id', async () => {
    answers = [500, 429];
    await grant('team-a', 'a1');
    const { problems } = start('one');
    await vi.waitFor(() => expect(deliveries).toHaveLength(3));
    expect(new Set(deliveries.map(({ id }) => id)).size).toBe(1);
    expect(problems.map(String)).toEqual([expect.stringContaining('500'), expect.stringContaining('429')]);
    await vi.waitFor(async () => expect(await unconfirmed()).toBe(0));
  });

  it('is done by one replica at a time, and by another when that one stops', async () => {
    const { webhook } = start('one');
    await vi.waitFor(async () => expect(await redis.get(redisKeys.ledgerDelivery)).toBe('one'));
    start('two');
    for (let index = 0; index < 5; index += 1) await grant('team-a', `a${index}`);
    await vi.waitFor(() => expect(received()).toHaveLength(5));
    await webhook[Symbol.asyncDispose]();
    await grant('team-a', 'later');
    await vi.waitFor(() => expect(received()).toContain('later'));
    expect(await redis.get(redisKeys.ledgerDelivery)).toBe('two');
    expect(received()).toHaveLength(6);
  });

  it('loses nothing that was sent and not confirmed when a replica stops', async () => {
    answers = Array.from({ length: 1_000 }, () => 503);
    await grant('team-a', 'a1');
    const { webhook } = start('one');
    await vi.waitFor(() => expect(deliveries.length).toBeGreaterThan(0));
    await webhook[Symbol.asyncDispose]();
    expect(await unconfirmed()).toBe(1);
  });
});
