import { afterEach, describe, expect, it } from 'vitest';
import type { ClaimRequest, RelayDialerOptions, RelayServerOptions } from './index.ts';
import { RelayDialer, RelayServer } from './index.ts';
import { delta, finished, frames } from './testing/frames.ts';
import { RecordingSink } from './testing/recording-sink.ts';

const TOKEN = 'relay-test-secret-0001';

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of opened.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function replica(options: Partial<RelayServerOptions> = {}): Promise<RelayServer> {
  const server = await RelayServer.listen({ host: '127.0.0.1', port: 0, replicaId: 'api-1', token: TOKEN, ...options });
  opened.push(server);
  return server;
}

function worker(options: Partial<RelayDialerOptions> = {}): RelayDialer {
  const dialer = new RelayDialer({ workerId: 'w1', models: ['m'], slots: 4, token: TOKEN, ...options });
  opened.push(dialer);
  return dialer;
}

function claimOf(server: RelayServer, requestId: string, overrides: Partial<ClaimRequest> = {}): ClaimRequest {
  return { requestId, epoch: 1, choices: 1, relayAddress: server.address, ...overrides };
}

describe('the relay', () => {
  it('brings the tokens of a granted request to its sink, in order, up to its end', async () => {
    const server = await replica();
    const dialer = worker();
    const sink = new RecordingSink();
    server.open('r1', 1, 1, sink);
    expect(await dialer.claim(claimOf(server, 'r1'))).toBe('granted');
    expect(sink.workers).toEqual(['w1']);
    for (let index = 0; index < 10; index += 1) dialer.publish(frames({ step: index, deltas: [delta('r1', index)] }));
    dialer.publish(frames({ finished: [finished('r1', { completionTokens: 10 })] }));
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
    expect(sink.ends[0]?.completionTokens).toBe(10);
    expect(sink.errors).toEqual([]);
    expect(server.stats()).toMatchObject({ openRequests: 0, streams: 1, tokensTotal: 10 });
    expect(dialer.stats()).toMatchObject({ claims: 0, streams: 1, droppedFramesTotal: 0 });
  });
});
