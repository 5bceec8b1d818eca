/**
 * Relay throughput on loopback: the API's side in this process, the worker's in a child, tokens counted at the sinks.
 * Usage: node --conditions=source bench/relay/throughput.ts [requests=1024] [deltasPerStep=32] [seconds=5]
 */
import { fork } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type RelayDialer, RelayServer } from '#relay';

interface Load {
  readonly relayAddress: string;
  readonly requests: number;
  readonly deltasPerStep: number;
  readonly seconds: number;
}

/** Bytes that may wait before the worker lets the connection catch up; an engine is paced by its steps instead. */
const PACE_BYTES = 256 * 1024;

if (process.argv[2] === 'worker') await runWorker(JSON.parse(process.argv[3] ?? '{}') as Load);
else await runApi();

async function runApi(): Promise<void> {
  const [requests = 1024, deltasPerStep = 32, seconds = 5] = process.argv.slice(2).map(Number);
  await using server = await RelayServer.listen({ host: '127.0.0.1', port: 0, replicaId: 'bench' });
  let tokens = 0;
  let published = 0;
  let ended = 0;
  let failed = 0;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  for (let index = 0; index < requests; index += 1) {
    server.open(requestId(index), 1, 1, {
      granted: () => undefined,
      delta: (delta) => {
        tokens += delta.tokenIds.length;
      },
      finished: ({ completionTokens }) => {
        published += completionTokens;
        ended += 1;
        if (ended === requests) resolve();
      },
      failed: (error) => {
        failed += 1;
        process.stderr.write(`${error.message}\n`);
        resolve();
      },
    });
  }
  const load: Load = { relayAddress: server.address, requests, deltasPerStep, seconds };
  const child = fork(fileURLToPath(import.meta.url), ['worker', JSON.stringify(load)], {
    execArgv: ['--conditions=source'],
  });
  await new Promise((started) => child.once('message', started));
  const startedAt = performance.now();
  const cpuAtStart = process.cpuUsage();
  await done;
  const elapsedS = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuAtStart);
  const cpuS = (cpu.user + cpu.system) / 1e6;
  const { framesTotal, refusedTotal } = server.stats();
  const report = {
    machine: `${cpus().length} x ${cpus()[0]?.model}`,
    node: process.version,
    requests,
    deltasPerStep,
    tokens,
    lost: published - tokens,
    failed,
    refused: Object.values(refusedTotal).reduce((sum, count) => sum + count, 0),
    messages: framesTotal,
    tokensPerS: Math.round(tokens / elapsedS),
    tokensPerApiCpuS: Math.round(tokens / cpuS),
    apiCpuShare: Number((cpuS / elapsedS).toFixed(2)),
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
}

async function runWorker({ relayAddress, requests, deltasPerStep, seconds }: Load): Promise<void> {
  const { RelayDialer } = await import('#relay');
  await using dialer = new RelayDialer({ workerId: 'bench', models: ['bench'], slots: requests });
  const ids = Array.from({ length: requests }, (_, index) => requestId(index));
  await Promise.all(ids.map((id) => dialer.claim({ requestId: id, epoch: 1, choices: 1, relayAddress })));
  process.send?.('started');
  const nextIndex = new Uint32Array(requests);
  const until = performance.now() + seconds * 1000;
  for (let step = 0, row = 0; performance.now() < until; step += 1) {
    const deltas = [];
    for (let count = 0; count < deltasPerStep; count += 1, row = (row + 1) % requests) {
      const firstIndex = nextIndex[row] ?? 0;
      nextIndex[row] = firstIndex + 1;
      const text = ' token';
      deltas.push({
        requestId: ids[row] ?? '',
        epoch: 1,
        choice: 0,
        firstIndex,
        tokenIds: [40_000],
        text,
        logprobs: [],
      });
    }
    dialer.publish({ step, deltas, finished: [], failed: [] });
    if (step % 8 === 0) await pace(dialer);
  }
  for (const [row, id] of ids.entries()) {
    const end = { requestId: id, epoch: 1, choice: 0, reason: 1, stopString: '', cachedPromptTokens: 0 } as const;
    dialer.publish({ step: 0, deltas: [], finished: [{ ...end, completionTokens: nextIndex[row] ?? 0 }], failed: [] });
    if (row % 8 === 0) await pace(dialer);
  }
  process.disconnect?.();
}

async function pace(dialer: RelayDialer): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (dialer.stats().pendingBytes > PACE_BYTES);
}

function requestId(index: number): string {
  return `req_${index.toString(16).padStart(8, '0')}-4b1d-4c7e-9d55-2f0c8f3f1a77`;
}
