import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { TEST_KEY } from '../../test/support/product-process.ts';
import { poissonArrivals } from '../clients/arrivals.ts';
import { arrivingTimings, streamTimings } from '../clients/stream-timings.ts';
import { median, quantile } from '../report/statistics.ts';
import { differenceRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { ChainAddresses } from '../sides/chain-edge.ts';

const STREAMS = [1, 16];
const ROUNDS = 6;
const REQUESTS_PER_ROUND = 48;
const ARRIVALS_PER_SECOND = 50;
/** About five seconds. */
const ARRIVALS_PER_ROUND = 250;
const WARM_UP_REQUESTS = 1_500;
const ANSWER_TOKENS = 16;
/** A step of the fixture is too small to be shared out, and on small machines the path needs the other core. */
const THREADS = 1;
const SLOTS = 32;
const SLOT_TOKENS = 512;

export interface StreamTimings {
  /** Time to first token of each request, in ms. */
  ttftMs: number[];
  /** Time between two tokens of one request, in ms. */
  interTokenMs: number[];
}

/**
 * Time to first token at the client of the whole path (HTTP, queue, worker, relay, SSE) against the engine's own, seen by
 * the owner of an engine thread; the same model, prompts and arrivals on both sides, in turns. The targets are meant for 50
 * requests a second, which come as they like (Poisson); one closed loop shows the path without others beside it, and sixteen
 * keep two cores busy all the time, so their rows tell of a queue and have no target.
 *
 * What the borders between processes cost is measured beside it: the bare chain is the same client, Node's HTTP server, one
 * script in Redis, BullMQ, a claim and the tokens over one gRPC stream, a thread for the engine, SSE, and nothing of ours between
 * them, nor a model. A path on these parts takes at least its time and the engine's.
 */
export async function pathSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const modelFolder = fileURLToPath(new URL('../../test/fixtures/models/tiny-llama', import.meta.url));
  const settings = { slots: SLOTS, slotTokens: SLOT_TOKENS, threads: THREADS };
  await using engine = await Side.start('engine-timings.ts', { modelFolder, ...settings });
  await using cluster = await Cluster.start({
    modelFolder,
    worker: {
      MILLRACE_SLOTS: String(SLOTS),
      MILLRACE_SLOT_TOKENS: String(SLOT_TOKENS),
      MILLRACE_THREADS: String(THREADS),
    },
  });
  await using edge = await Side.start('chain-edge.ts', { redisUrl: cluster.redisUrl });
  const { url: chainUrl, relayAddress } = await edge.measure<ChainAddresses>({});
  const chainSettings = { redisUrl: cluster.redisUrl, relayAddress, concurrency: SLOTS };
  await using _chainWorker = await Side.start('chain-worker.ts', chainSettings);
  const server = { url: cluster.url, key: TEST_KEY, model: 'tiny-llama', answerTokens: ANSWER_TOKENS };
  const chainServer = { ...server, url: chainUrl };
  const rounds = quick ? 2 : ROUNDS;
  // So many requests until the processes run as compiled as they ever will.
  const warmUp = { streams: 4, requests: WARM_UP_REQUESTS, answerTokens: ANSWER_TOKENS };
  await streamTimings({ ...server, ...warmUp });
  await streamTimings({ ...chainServer, ...warmUp });
  await engine.measure<StreamTimings>(warmUp);

  const all = async (
    path: (of: typeof server, round: number) => Promise<StreamTimings>,
    own: (round: number) => Promise<StreamTimings>,
  ): Promise<Sides> => {
    const sides: Sides = { path: noTimings(), chain: noTimings(), own: noTimings() };
    // Round 0 warms connections.
    for (let round = 0; round <= rounds; round++) {
      const told = {
        path: await path(server, round),
        own: await own(round),
        chain: await path(chainServer, round),
      };
      if (round === 0) continue;
      for (const side of ['path', 'own', 'chain'] as const) {
        sides[side].ttftMs.push(...told[side].ttftMs);
        sides[side].interTokenMs.push(...told[side].interTokenMs);
      }
    }
    return sides;
  };

  const arriving = (round: number) => ({
    arrivalsMs: poissonArrivals(round + 1, ARRIVALS_PER_SECOND, ARRIVALS_PER_ROUND),
    answerTokens: ANSWER_TOKENS,
  });
  const rows = rowsOf(
    `open loop, ${ARRIVALS_PER_SECOND} requests/s`,
    await all(
      (of, round) => arrivingTimings({ ...of, ...arriving(round) }),
      (round) => engine.measure<StreamTimings>(arriving(round)),
    ),
    true,
  );
  for (const streams of STREAMS) {
    const task = { streams, requests: REQUESTS_PER_ROUND, answerTokens: ANSWER_TOKENS };
    const sides = await all(
      (of) => streamTimings({ ...of, ...task }),
      () => engine.measure<StreamTimings>(task),
    );
    rows.push(...rowsOf(`closed loop, ${streams} stream${streams === 1 ? '' : 's'}`, sides, streams === 1));
  }
  return rows;
}

interface Sides {
  path: StreamTimings;
  /** The borders alone, without a model. */
  chain: StreamTimings;
  own: StreamTimings;
}

function noTimings(): StreamTimings {
  return { ttftMs: [], interTokenMs: [] };
}

function rowsOf(label: string, { path, chain, own }: Sides, withTarget: boolean): Row[] {
  const row = (name: string, of: (timings: StreamTimings) => number, atMost?: number) =>
    differenceRow(`${name}, ${label}`, of(path), 'ms', 'engine alone', of(own), withTarget ? atMost : undefined);
  const limit = (name: string, of: (timings: StreamTimings) => number) =>
    differenceRow(`${name}, ${label}: limit`, of(path), 'ms', 'bare chain + engine alone', of(chain) + of(own));
  const p50 = ({ ttftMs }: StreamTimings) => median(ttftMs);
  const p99 = ({ ttftMs }: StreamTimings) => quantile(ttftMs, 0.99);
  return [
    row('TTFT p50', p50, 2),
    row('TTFT p99', p99, 10),
    limit('TTFT p50', p50),
    limit('TTFT p99', p99),
    row('inter-token p50', ({ interTokenMs }) => median(interTokenMs)),
    row('inter-token p99', ({ interTokenMs }) => quantile(interTokenMs, 0.99), 2),
  ];
}
