import type { ClaimRequest, RelayDialerOptions, RelayServerOptions } from '../index.ts';
import { RelayDialer, RelayServer } from '../index.ts';

export const TEST_TOKEN = 'relay-test-secret-0001';

/** Servers and dialers of one test over loopback, closed together. */
export class RelayParts implements AsyncDisposable {
  readonly #opened: AsyncDisposable[] = [];

  async replica(options: Partial<RelayServerOptions> = {}): Promise<RelayServer> {
    const base = { host: '127.0.0.1', port: 0, replicaId: 'api-1', token: TEST_TOKEN };
    return this.add(await RelayServer.listen({ ...base, ...options }));
  }

  worker(options: Partial<RelayDialerOptions> = {}): RelayDialer {
    return this.add(new RelayDialer({ workerId: 'w1', models: ['m'], slots: 4, token: TEST_TOKEN, ...options }));
  }

  add<Part extends AsyncDisposable>(part: Part): Part {
    this.#opened.push(part);
    return part;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#opened.splice(0).reverse()) await part[Symbol.asyncDispose]();
  }
}

export function claimOf(address: string, requestId: string, overrides: Partial<ClaimRequest> = {}): ClaimRequest {
  return { requestId, epoch: 1, choices: 1, relayAddress: address, ...overrides };
}

/** Resolves once `holds`; rejects after `timeoutMs`. */
export async function eventually(holds: () => boolean, timeoutMs = 5_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`did not hold within ${timeoutMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
