import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { relay } from '#contracts';
import type { ReplicaChange } from './index.ts';
import { delta, finished, frames } from './testing/frames.ts';
import { RecordingSink } from './testing/recording-sink.ts';
import { claimOf, eventually, RelayParts } from './testing/relay-parts.ts';
import { TcpProxy } from './testing/tcp-proxy.ts';
import { PROTOCOL_VERSION } from './wire/protocol.ts';

const parts = new RelayParts();
afterEach(() => parts[Symbol.asyncDispose]());

async function throughProxy() {
  const server = await parts.replica();
  const proxy = parts.add(await TcpProxy.to(server.address));
  const dialer = parts.worker();
  const lost: string[] = [];
  dialer.onLost((requestId, epoch) => lost.push(`${requestId}/${epoch}`));
  const sink = new RecordingSink();
  server.open('r1', 1, 1, sink);
  expect(await dialer.claim(claimOf(proxy.address, 'r1'))).toBe('granted');
  dialer.publish(frames({ deltas: [delta('r1', 0)] }));
  await sink.until(({ deltas }) => deltas.length === 1);
  return { server, proxy, dialer, lost, sink };
}

describe('a broken connection', () => {
  it('is told to both sides at once when the socket is reset', async () => {
    const { proxy, lost, sink, server } = await throughProxy();
    const cutAt = performance.now();
    proxy.cut();
    await sink.until(({ errors }) => errors.length === 1);
    await eventually(() => lost.length === 1);
    expect(performance.now() - cutAt).toBeLessThan(500);
    expect(sink.errors[0]).toMatchObject({ code: 'worker_lost', workerId: 'w1' });
    expect(lost).toEqual(['r1/1']);
    expect(server.stats()).toMatchObject({ openRequests: 0, streams: 0, streamsLostTotal: 1 });
  });

  it('is noticed by both sides within 2.5 s when the network swallows everything', async () => {
    const { proxy, lost, sink } = await throughProxy();
    const swallowedAt = performance.now();
    proxy.swallow();
    await sink.until(({ errors }) => errors.length === 1, 2_500);
    await eventually(() => lost.length === 1, 2_500 - (performance.now() - swallowedAt));
    expect(sink.errors[0]?.code).toBe('worker_lost');
  });

  it('is told of claims without an answer of which frames were sent, since they may have arrived', async () => {
    const { proxy, dialer, lost } = await throughProxy();
    proxy.swallow();
    const begun = dialer.claim(claimOf(proxy.address, 'begun'));
    const whole = dialer.claim(claimOf(proxy.address, 'whole'));
    const asked = dialer.claim(claimOf(proxy.address, 'asked'));
    dialer.publish(frames({ deltas: [delta('begun', 0), delta('whole', 0)], finished: [finished('whole')] }));
    proxy.cut();
    expect(await Promise.all([begun, whole, asked])).toEqual(['granted', 'granted', 'denied']);
    expect(new Set(lost)).toEqual(new Set(['r1/1', 'begun/1', 'whole/1']));
    expect(dialer.stats().claims).toBe(0);
  });

  it('does not keep the worker from the next request on a new stream', async () => {
    const { proxy, dialer, lost, server } = await throughProxy();
    proxy.cut();
    await eventually(() => lost.length === 1);
    const sink = new RecordingSink();
    server.open('r2', 1, 1, sink);
    expect(await dialer.claim(claimOf(proxy.address, 'r2'))).toBe('granted');
    dialer.publish(frames({ deltas: [delta('r2', 0)], finished: [finished('r2')] }));
    await sink.until(({ ends }) => ends.length === 1);
  });

  it('denies a claim within its time when the replica takes connections and never answers', async () => {
    const server = await parts.replica();
    const proxy = parts.add(await TcpProxy.to(server.address));
    proxy.swallow();
    const denialsMs: number[] = [];
    for (let attempt = 0; attempt < 3; attempt++) {
      const dialer = parts.worker({ dialTimeoutMs: 300, claimTimeoutMs: 500 });
      const startedAt = performance.now();
      expect(await dialer.claim(claimOf(proxy.address, 'r1'))).toBe('denied');
      denialsMs.push(performance.now() - startedAt);
    }
    // The quickest one: how long it takes when the machine lets it.
    expect(Math.min(...denialsMs)).toBeLessThan(600);
  });

  it('leaves quiet but healthy streams alone for longer than the keepalive needs to find a dead one', async () => {
    const { dialer, sink, lost } = await throughProxy();
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    dialer.publish(frames({ deltas: [delta('r1', 1)], finished: [finished('r1')] }));
    await sink.until(({ ends }) => ends.length === 1);
    expect(lost).toEqual([]);
    expect(sink.errors).toEqual([]);
  });
});

describe('a replica that does not read', () => {
  it('has its stream broken, with the limit named, once that many bytes wait; memory stays bounded', async () => {
    const deaf = await deafReplica();
    const changes: ReplicaChange[] = [];
    const lost: string[] = [];
    const maxPendingBytes = 1024 * 1024;
    const dialer = parts.worker({ maxPendingBytes, onReplica: (change) => changes.push(change) });
    dialer.onLost((requestId) => lost.push(requestId));
    expect(await dialer.claim(claimOf(deaf.address, 'r1'))).toBe('granted');
    const text = 'x'.repeat(10_000);
    let highestBytes = 0;
    for (let index = 0; index < 1_000 && lost.length === 0; index += 1) {
      dialer.publish(frames({ deltas: [delta('r1', index, { text })] }));
      highestBytes = Math.max(highestBytes, dialer.stats().pendingBytes);
      if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(lost).toEqual(['r1']);
    expect(highestBytes).toBeGreaterThan(maxPendingBytes / 2);
    expect(highestBytes).toBeLessThanOrEqual(maxPendingBytes);
    expect(changes.at(-1)).toMatchObject({ state: 'gone' });
    expect(changes.at(-1)?.why).toContain(`limit of ${maxPendingBytes}`);
  });
});

/** An HTTP/2 server that shakes hands, grants `r1` and then reads nothing more, so its receive window fills. */
async function deafReplica(): Promise<{ address: string }> {
  const http2Server = createServer();
  http2Server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    const grant = { requestId: 'r1', epoch: 1, resume: [] };
    const welcome = { replicaId: 'deaf', protocolVersion: PROTOCOL_VERSION, makesOffers: false };
    stream.write(grpcFrame({ $case: 'welcome', value: welcome }));
    setTimeout(() => stream.write(grpcFrame({ $case: 'grant', value: grant })), 100);
    stream.pause();
  });
  await new Promise<void>((resolve) => http2Server.listen(0, '127.0.0.1', resolve));
  parts.add({ [Symbol.asyncDispose]: async () => void http2Server.close() });
  return { address: `127.0.0.1:${(http2Server.address() as AddressInfo).port}` };
}

function grpcFrame(message: relay.ApiMessage['message']): Buffer {
  const body = relay.ApiMessage.encode({ message }).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
