import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReplicaChange } from './index.ts';
import { RecordingSink } from './testing/recording-sink.ts';
import { claimOf, eventually, RelayParts } from './testing/relay-parts.ts';

const parts = new RelayParts();
afterEach(() => parts[Symbol.asyncDispose]());

function portOf(address: string): number {
  return Number(address.split(':').at(-1));
}

describe('a replica that is to be kept ready', () => {
  it('has its stream before any claim, and keeps it without one for as long as it is named', async () => {
    const server = await parts.replica();
    const dialer = parts.worker({ idleMs: 30 });
    const named = new Map([['api-1', server.address]]);
    dialer.keepReady(named);
    await eventually(() => dialer.reaches(server.address));
    server.open('r1', 1, 1, new RecordingSink());
    expect(await dialer.claim(claimOf(server.address, 'r1'))).toBe('granted');
    dialer.publish({
      step: 0,
      deltas: [],
      finished: [],
      failed: [{ requestId: 'r1', epoch: 1, code: 'x', message: '' }],
    });
    for (let look = 0; look < 5; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      dialer.keepReady(named);
      expect(dialer.stats()).toMatchObject({ streams: 1, streamsLostTotal: 0, claims: 0 });
    }
    expect(server.stats().streams).toBe(1);
    dialer.keepReady(new Map());
    await eventually(() => server.stats().streams === 0);
    expect(dialer.stats().streams).toBe(0);
  });

  it('is dialled once where nobody listens, tells nobody, and holds up no claim of a replica that comes up there', async () => {
    const gone = await parts.replica();
    await gone.close(0);
    const changes: ReplicaChange[] = [];
    const dialer = parts.worker({ onReplica: (change) => changes.push(change) });
    const named = new Map([['api-1', gone.address]]);
    dialer.keepReady(named);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const server = await parts.replica({ port: portOf(gone.address) });
    dialer.keepReady(named);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.stats().streams).toBe(0);
    expect(changes).toEqual([]);
    server.open('r1', 1, 1, new RecordingSink());
    expect(await dialer.claim(claimOf(server.address, 'r1'))).toBe('granted');
    expect(changes).toMatchObject([{ state: 'attached' }]);
  });

  it('is dialled anew when another replica comes up under its address', async () => {
    const first = await parts.replica();
    const dialer = parts.worker();
    dialer.keepReady(new Map([['api-1', first.address]]));
    await eventually(() => dialer.reaches(first.address));
    await first.close(0);
    await eventually(() => dialer.stats().streams === 0);
    const second = await parts.replica({ port: portOf(first.address), replicaId: 'api-2' });
    dialer.keepReady(new Map([['api-2', second.address]]));
    await eventually(() => second.stats().streams === 1);
  });

  it('fails no claim that comes while it is dialled in vain', async () => {
    // Takes the first connection and says nothing on it, as a network does that is not set up yet; then the relay is there.
    const silent: Socket[] = [];
    const door = createServer((socket) => silent.push(socket.on('error', () => {})));
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    const { port } = door.address() as AddressInfo;
    const changes: ReplicaChange[] = [];
    const times = { dialTimeoutMs: 1_000, claimTimeoutMs: 10_000 };
    const dialer = parts.worker({ ...times, onReplica: (change) => changes.push(change) });
    dialer.keepReady(new Map([['api-1', `127.0.0.1:${port}`]]));
    await eventually(() => silent.length === 1);
    const claiming = dialer.claim(claimOf(`127.0.0.1:${port}`, 'r1'));
    const closed = new Promise((resolve) => door.close(resolve));
    const server = await parts.replica({ port });
    server.open('r1', 1, 1, new RecordingSink());
    expect(await claiming).toBe('granted');
    expect(changes).toMatchObject([{ state: 'attached' }]);
    for (const socket of silent) socket.destroy();
    await closed;
  });

  it('is not dialled by a worker that has closed', async () => {
    const server = await parts.replica();
    const dialer = parts.worker();
    await dialer.close();
    dialer.keepReady(new Map([['api-1', server.address]]));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.stats().streams).toBe(0);
  });
});
