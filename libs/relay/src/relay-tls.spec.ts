import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { RelayDialer, RelayServer, RelayTlsError, type ReplicaChange } from './index.ts';
import { delta, finished, frames } from './testing/frames.ts';
import { RawPeer } from './testing/raw-peer.ts';
import { RecordingSink } from './testing/recording-sink.ts';
import { claimOf, RelayParts, TEST_TOKEN } from './testing/relay-parts.ts';

const pem = (name: string) => readFileSync(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url), 'utf8');
const ca = pem('ca.crt');
const server = { certificate: pem('server.crt'), key: pem('server.key') };
const worker = { certificate: pem('worker.crt'), key: pem('worker.key') };
const serverName = 'millrace-relay';

const parts = new RelayParts();
afterEach(() => parts[Symbol.asyncDispose]());

describe('a relay with TLS', () => {
  it('carries a request to a worker that knows its authority and its name', async () => {
    const replica = await parts.replica({ tls: server });
    const dialer = parts.worker({ tls: { ca, serverName } });
    const sink = new RecordingSink();
    replica.open('r1', 1, 1, sink);
    expect(await dialer.claim(claimOf(replica.address, 'r1'))).toBe('granted');
    dialer.publish(frames({ deltas: [delta('r1', 0)], finished: [finished('r1')] }));
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([100]);
  });

  it('still asks for the token', async () => {
    const replica = await parts.replica({ tls: server });
    expect(await whyRefused(replica, { tls: { ca, serverName }, token: `${TEST_TOKEN}x` })).toContain(
      'UNAUTHENTICATED',
    );
  });

  it('is not spoken to by a worker that trusts another authority, or expects another name', async () => {
    const replica = await parts.replica({ tls: server });
    expect(await whyRefused(replica, { tls: { ca: pem('other-ca.crt'), serverName } })).toMatch(
      /certificate|signature/,
    );
    expect(await whyRefused(replica, { tls: { ca, serverName: 'some-relay' } })).toContain('some-relay');
  });

  it('lets nobody in who speaks without TLS, token or not', async () => {
    const replica = await parts.replica({ tls: server });
    expect((await parts.add(new RawPeer(replica.address, TEST_TOKEN)).error).code).toBe(status.UNAVAILABLE);
  });

  it('lets in only workers with a certificate of its authority when it asks for one', async () => {
    const replica = await parts.replica({ tls: { ...server, clientCa: ca }, token: undefined });
    expect(await whyRefused(replica, { tls: { ca, serverName } })).not.toBe('');
    replica.open('r1', 1, 1, new RecordingSink());
    const dialer = parts.worker({ tls: { ca, serverName, ...worker }, token: undefined });
    expect(await dialer.claim(claimOf(replica.address, 'r1'))).toBe('granted');
  });

  it('does not start with a key that does not belong to the certificate, or with something else', async () => {
    const other = { certificate: server.certificate, key: worker.key };
    const listen = RelayServer.listen({ host: '127.0.0.1', port: 0, replicaId: 'a', tls: other });
    await expect(listen).rejects.toThrow(RelayTlsError);
    await expect(listen).rejects.toThrow('MILLRACE_RELAY_KEY');
    const tls = { ca: '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----', serverName };
    expect(() => new RelayDialer({ workerId: 'w', models: [], slots: 1, tls })).toThrow(RelayTlsError);
  });
});

/** What a worker hears that tries to claim. */
async function whyRefused(replica: RelayServer, options: Parameters<RelayParts['worker']>[0]): Promise<string> {
  const changes: ReplicaChange[] = [];
  const dialer = parts.worker({ ...options, onReplica: (change) => changes.push(change) });
  replica.open('refused', 1, 1, new RecordingSink())[Symbol.dispose]();
  expect(await dialer.claim(claimOf(replica.address, 'refused'))).toBe('denied');
  return changes.find(({ state }) => state === 'unreachable')?.why ?? '';
}
