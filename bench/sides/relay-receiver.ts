import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import type { relay } from '#contracts';
import { RelayServer } from '#relay';
import { attachHandlerDefinition } from '../../libs/relay/src/wire/attach-method.ts';
import { relayRequestId } from '../relay-request-id.ts';
import { serveSide } from '../side.ts';

/** The API's end of the relay with sinks that count; or the same gRPC method with nothing behind it but a count. */
interface Settings {
  bare: boolean;
}
/** `open` first; the next task waits for the end of every stream. */
type Task = { open: number } | { await: true };
export interface Received {
  address: string;
  tokens: number;
  /** What the sender says it sent. */
  sent: number;
  failed: number;
  seconds: number;
  /** Processor time of this process meanwhile. */
  cpuSeconds: number;
}

class Count {
  tokens = 0;
  sent = 0;
  failed = 0;
  #firstMs = 0;
  #cpu = process.cpuUsage();
  readonly over = Promise.withResolvers<void>();

  token(count: number): void {
    if (this.#firstMs === 0) {
      this.#firstMs = performance.now();
      this.#cpu = process.cpuUsage();
    }
    this.tokens += count;
  }

  report(address: string): Received {
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (performance.now() - this.#firstMs) / 1_000;
    const { tokens, sent, failed } = this;
    return { address, tokens, sent, failed, seconds, cpuSeconds: (user + system) / 1e6 };
  }
}

async function bareServer(count: () => Count): Promise<string> {
  const server = new Server();
  server.addService(
    { attach: attachHandlerDefinition(() => {}) },
    {
      attach: (call: ServerDuplexStream<relay.WorkerMessage, relay.ApiMessage>) => {
        call.on('data', ({ message }: relay.WorkerMessage) => {
          if (message?.$case !== 'step') return;
          for (const { tokenIds } of message.value.deltas) count().token(tokenIds.length);
          for (const { completionTokens } of message.value.finished) count().sent += completionTokens;
        });
        call.on('end', () => {
          call.end();
          count().over.resolve();
        });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return `127.0.0.1:${port}`;
}

serveSide<Settings, Task, Received>(async ({ bare }) => {
  let run = 0;
  let count = new Count();
  const server = bare ? null : await RelayServer.listen({ host: '127.0.0.1', port: 0, replicaId: 'bench' });
  const address = server?.address ?? (await bareServer(() => count));
  return async (task) => {
    if ('open' in task) {
      count = new Count();
      const current = count;
      let open = task.open;
      const ended = () => {
        open -= 1;
        if (open === 0) current.over.resolve();
      };
      for (let index = 0; index < task.open; index++) {
        server?.open(relayRequestId(run, index), 1, 1, {
          granted: () => {},
          delta: ({ tokenIds }) => current.token(tokenIds.length),
          finished: ({ completionTokens }) => {
            current.sent += completionTokens;
            ended();
          },
          failed: () => {
            current.failed += 1;
            ended();
          },
        });
      }
      run += 1;
    } else {
      await count.over.promise;
    }
    return count.report(address);
  };
});
