import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { TEST_KEY } from '../../test/support/product-process.ts';
import { streamTimings } from '../clients/stream-timings.ts';
import { cpuSeconds } from '../report/cpu-seconds.ts';
import { limitRow, pairedRatioRow, type Row, ratioRow } from '../report/suite-report.ts';
import { Side } from '../side.ts';

const MODEL = 'tiny-llama';
const STREAMS = 16;
const ANSWER_TOKENS = 16;
const REQUESTS_PER_TURN = 96;
const WARM_UP_ROUNDS = 8;
const ROUNDS = { full: 120, quick: 12 };

/** Tokens per second of a turn, and CPU time of API and worker per request. */
interface Turn {
  readonly tokensPerSecond: number;
  readonly cpuMs: number;
}

/**
 * What traces cost: the whole path (HTTP, queue, worker, relay, SSE) in a closed loop of streams, on three clusters that
 * differ in nothing else. `bare`: nothing hears of requests, no metric and no span. `off`: as it is shipped, metrics
 * and no receiver of traces. `on`: every request is traced. The model is so small that the path dominates. Turns are
 * short, and the order changes from round to round. Metrics and absent traces cannot be told apart there, and their cost
 * is below what such turns resolve; so everything that is called for a request with traces off is also timed by itself.
 */
export async function tracingSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const modelFolder = fileURLToPath(new URL(`../../test/fixtures/models/${MODEL}`, import.meta.url));
  await using sink = await Side.start('otlp-sink.ts', {});
  const { url } = await sink.measure<{ url: string }>({});
  const start = (environment: Record<string, string>) =>
    Cluster.start({
      modelFolder,
      api: environment,
      worker: { ...environment, MILLRACE_SLOTS: '32', MILLRACE_SLOT_TOKENS: '256', MILLRACE_PARKING_SLOTS: '0' },
    });
  const preload = fileURLToPath(new URL('../sides/without-observation.ts', import.meta.url));
  await using bare = await start({ NODE_OPTIONS: `--import=${preload}` });
  await using off = await start({});
  await using on = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: url });

  const sides = { bare, off, on };
  const names = ['bare', 'off', 'on'] as const;
  const turns: Record<keyof typeof sides, Turn[]> = { bare: [], off: [], on: [] };
  const rounds = quick ? ROUNDS.quick : ROUNDS.full;
  for (let round = 0; round < rounds + WARM_UP_ROUNDS; round++) {
    for (let place = 0; place < names.length; place++) {
      const name = names[(round + place) % names.length] ?? 'bare';
      const turn = await turnOf(sides[name]);
      if (round >= WARM_UP_ROUNDS) turns[name].push(turn);
    }
  }
  await using observed = await Side.start('observed-life.ts', {});
  await observed.measure({ requests: 50_000 });
  const { microseconds } = await observed.measure<{ microseconds: number }>({ requests: 200_000 });
  const { exports } = await sink.measure<{ exports: number }>({});
  if (exports === 0) throw new Error('no span arrived: the side with traces had none');

  const speeds = (name: keyof typeof sides) => turns[name].map(({ tokensPerSecond }) => tokensPerSecond);
  const cpu = (name: keyof typeof sides) => turns[name].map(({ cpuMs }) => cpuMs);
  const nothing = 'neither metrics nor traces';
  const observedMs = microseconds / 1_000;
  const share = (100 * observedMs) / mean(cpu('off'));
  return [
    limitRow('API, everything that hears of a request, traces off, of its CPU time', share, '%', 1),
    pairedRatioRow('tokens/s, traces off', speeds('off'), 'tokens/s', nothing, speeds('bare'), 0.99),
    pairedRatioRow('tokens/s, traces on', speeds('on'), 'tokens/s', nothing, speeds('bare'), 0.9),
    pairedRatioRow('tokens/s, traces on', speeds('on'), 'tokens/s', 'traces off', speeds('off'), 0.9),
    cpuRow('CPU per request, traces off', cpu('off'), nothing, cpu('bare')),
    cpuRow('CPU per request, traces on', cpu('on'), nothing, cpu('bare'), 1.1),
  ];
}

async function turnOf(cluster: Cluster): Promise<Turn> {
  const pids = [...cluster.apis, ...cluster.workers].map(({ child }) => child.pid ?? 0);
  const cpuBefore = cpuSeconds(pids);
  const beganMs = performance.now();
  await streamTimings({
    url: cluster.url,
    key: TEST_KEY,
    model: MODEL,
    streams: STREAMS,
    requests: REQUESTS_PER_TURN,
    answerTokens: ANSWER_TOKENS,
  });
  const seconds = (performance.now() - beganMs) / 1_000;
  return {
    tokensPerSecond: (REQUESTS_PER_TURN * ANSWER_TOKENS) / seconds,
    cpuMs: ((cpuSeconds(pids) - cpuBefore) * 1_000) / REQUESTS_PER_TURN,
  };
}

function mean(samples: readonly number[]): number {
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}

/** The kernel counts CPU time in hundredths of a second, so the means of all turns are compared and not each turn's. */
function cpuRow(name: string, values: readonly number[], peer: string, peers: readonly number[], atMost?: number): Row {
  return ratioRow(name, mean(values), 'ms', peer, mean(peers), atMost);
}
