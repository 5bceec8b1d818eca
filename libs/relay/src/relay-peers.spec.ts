import { connect } from 'node:net';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReplicaChange } from './index.ts';
import { PROTOCOL_VERSION, RelayListenError, RelayServer } from './index.ts';
import { delta, finished, frames } from './testing/frames.ts';
import { RawPeer } from './testing/raw-peer.ts';
import { RecordingSink } from './testing/recording-sink.ts';
import { claimOf, eventually, RelayParts, TEST_TOKEN } from './testing/relay-parts.ts';
import { MAX_MESSAGE_BYTES } from './wire/protocol.ts';

const parts = new RelayParts();
afterEach(() => parts[Symbol.asyncDispose]());

/** A replica with one well-behaved worker in the middle of a request, which nothing a bad peer does may disturb. */
async function busyReplica() {
  const server = await parts.replica();
  const dialer = parts.worker({ workerId: 'good' });
  const sink = new RecordingSink();
  server.open('undisturbed', 1, 1, sink);
  await dialer.claim(claimOf(server.address, 'undisturbed'));
  const finish = async () => {
    dialer.publish(frames({ deltas: [delta('undisturbed', 0)], finished: [finished('undisturbed')] }));
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([100]);
  };
  return { server, finish };
}

function attach(server: RelayServer, token: string | undefined = TEST_TOKEN): RawPeer {
  return parts.add(new RawPeer(server.address, token));
}

describe('a peer of the relay server', () => {
  it('is refused as unauthenticated when its token is missing or wrong', async () => {
    const { server, finish } = await busyReplica();
    for (const token of ['', 'relay-test-secret-0002', `${TEST_TOKEN}x`]) {
      const error = await attach(server, token).error;
      expect(error.code).toBe(status.UNAUTHENTICATED);
      expect(error.details).toContain('MILLRACE_RELAY_TOKEN');
    }
    expect((await parts.add(new RawPeer(server.address, undefined)).error).code).toBe(status.UNAUTHENTICATED);
    await finish();
  });

  it('is refused with both versions named when it speaks another protocol version', async () => {
    const { server, finish } = await busyReplica();
    const peer = attach(server);
    peer.hello(PROTOCOL_VERSION + 1);
    const error = await peer.error;
    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(error.details).toContain(
      `version ${PROTOCOL_VERSION + 1} of worker raw does not match versions 1 to ${PROTOCOL_VERSION} of replica api-1`,
    );
    await finish();
  });

  it('is cut off when it sends anything before hello, a second hello, an empty message or garbage', async () => {
    const { server, finish } = await busyReplica();
    const early = attach(server);
    early.send({ $case: 'accepted', value: { requestId: 'undisturbed', epoch: 1 } });
    expect((await early.error).details).toContain('must be hello');
    const twice = attach(server);
    twice.hello(PROTOCOL_VERSION);
    twice.hello(PROTOCOL_VERSION);
    expect((await twice.error).details).toContain('sent twice');
    const empty = attach(server);
    empty.hello(PROTOCOL_VERSION);
    empty.write(Buffer.alloc(0));
    expect((await empty.error).code).toBe(status.INVALID_ARGUMENT);
    const garbage = attach(server);
    garbage.hello(PROTOCOL_VERSION);
    garbage.write(Buffer.from([0x1a, 0xff, 0xff, 0xff, 0xff, 0x0f]));
    expect((await garbage.error).code).toBe(status.INTERNAL);
    await finish();
    await eventually(() => server.stats().streams === 1);
  });

  it('loses its own requests when it sends a message over the size limit, and disturbs nobody else', async () => {
    const { server, finish } = await busyReplica();
    const peer = attach(server);
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    peer.hello(PROTOCOL_VERSION);
    peer.send({ $case: 'accepted', value: { requestId: 'r1', epoch: 1 } });
    await sink.until(({ workers }) => workers.length === 1);
    peer.write(Buffer.alloc(MAX_MESSAGE_BYTES + 1));
    expect((await peer.error).code).toBe(status.RESOURCE_EXHAUSTED);
    await sink.until(({ errors }) => errors.length === 1);
    expect(sink.errors[0]?.code).toBe('worker_lost');
    await finish();
  });

  it('is known again as the same process, and not when it was started anew under the same id', async () => {
    const server = await parts.replica();
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    const peer = attach(server);
    peer.hello(PROTOCOL_VERSION, 'w1', 'first');
    peer.send({ $case: 'accepted', value: { requestId: 'r1', epoch: 1 } });
    await sink.until(({ workers }) => workers.length === 1);
    await peer[Symbol.asyncDispose]();
    await sink.until(({ errors }) => errors.length === 1);
    expect(sink.errors[0]).toMatchObject({ code: 'worker_lost', workerId: 'w1', processId: 'first' });
    attach(server).hello(PROTOCOL_VERSION, 'w1', 'second');
    await eventually(() => server.attached('second'));
    expect(server.attached('first')).toBe(false);
    attach(server).hello(PROTOCOL_VERSION, 'w1', 'first');
    await eventually(() => server.attached('first'));
  });

  it('disturbs nobody when it does not speak HTTP/2', async () => {
    const { server, finish } = await busyReplica();
    const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.on('close', resolve).resume());
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(1000));
    await closed;
    await finish();
  });

  it('can not send tokens for a request that another worker was granted', async () => {
    const { server, finish } = await busyReplica();
    const peer = attach(server);
    peer.hello(PROTOCOL_VERSION, 'good');
    const deltas = [delta('undisturbed', 0, { text: 'forged' })];
    peer.send({ $case: 'step', value: { step: 1, deltas, finished: [], failed: [] } });
    await eventually(() => server.stats().refusedTotal.foreign_worker === 1);
    await finish();
  });

  it.each([
    ['repeated_index', [delta('r1', 0), delta('r1', 0)]],
    ['skipped_index', [delta('r1', 0), delta('r1', 2)]],
    ['unknown_choice', [delta('r1', 0), delta('r1', 0, { choice: 1 })]],
  ] as const)('has its request failed and is told to stop when it sends a %s', async (cause, deltas) => {
    const server = await parts.replica();
    const dialer = parts.worker();
    const cancelled = new Promise<string>((resolve) => dialer.onCancel((_id, _epoch, reason) => resolve(reason)));
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    await dialer.claim(claimOf(server.address, 'r1'));
    for (const each of deltas) dialer.publish(frames({ deltas: [each] }));
    await sink.until(({ errors }) => errors.length === 1);
    expect(sink.errors[0]).toMatchObject({ code: 'engine_failed', refusal: cause });
    expect(await cancelled).toContain(cause);
    expect(sink.tokens()).toEqual([100]);
    expect(server.stats().refusedTotal[cause]).toBe(1);
  });
});

describe('a worker', () => {
  it('gets denied and a clear reason when its token is wrong', async () => {
    const server = await parts.replica();
    const changes: ReplicaChange[] = [];
    const dialer = parts.worker({ token: 'relay-test-secret-0002', onReplica: (change) => changes.push(change) });
    server.open('r1', 1, 1, new RecordingSink());
    expect(await dialer.claim(claimOf(server.address, 'r1'))).toBe('denied');
    expect(changes).toHaveLength(1);
    expect(changes[0]?.state).toBe('unreachable');
    expect(changes[0]?.why).toMatch(/UNAUTHENTICATED.*MILLRACE_RELAY_TOKEN/);
  });

  it('gets denied at once where nobody listens, and reaches a replica that comes up there later', async () => {
    const first = await parts.replica();
    const { address } = first;
    await first.close(0);
    const dialer = parts.worker();
    const startedAt = performance.now();
    expect(await dialer.claim(claimOf(address, 'r1'))).toBe('denied');
    expect(performance.now() - startedAt).toBeLessThan(500);
    const second = await parts.replica({ port: Number(address.split(':')[1]) });
    second.open('r1', 1, 1, new RecordingSink());
    expect(await dialer.claim(claimOf(address, 'r1'))).toBe('granted');
  });
});

describe('RelayServer.listen', () => {
  it('names the address and the settings when the port is taken', async () => {
    const server = await parts.replica();
    const port = Number(server.address.split(':')[1]);
    const second = RelayServer.listen({ host: '127.0.0.1', port, replicaId: 'api-2' });
    await expect(second).rejects.toThrow(RelayListenError);
    await expect(second).rejects.toThrow(`127.0.0.1:${port}`);
  });

  it('advertises another host name with its own port', async () => {
    const server = await parts.replica({ advertisedHost: 'api-0.api.svc' });
    expect(server.address).toMatch(/^api-0\.api\.svc:\d+$/);
  });
});
