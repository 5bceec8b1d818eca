import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { TEST_KEY } from '../../test/support/product-process.ts';
import { streamTimings } from '../clients/stream-timings.ts';
import { median, quantile } from '../report/statistics.ts';
import { differenceRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';

const STREAMS = [1, 16];
const ROUNDS = 6;
const REQUESTS_PER_ROUND = 48;
const ANSWER_TOKENS = 16;
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
 * the owner of an engine thread; the same model, prompts and closed-loop concurrency on both sides, in turns.
 */
export async function pathSuite(): Promise<Row[]> {
  const modelFolder = fileURLToPath(new URL('../../test/fixtures/models/tiny-llama', import.meta.url));
  await using engine = await Side.start('engine-timings.ts', { modelFolder, slots: SLOTS, slotTokens: SLOT_TOKENS });
  await using cluster = await Cluster.start({
    modelFolder,
    worker: { MILLRACE_SLOTS: String(SLOTS), MILLRACE_SLOT_TOKENS: String(SLOT_TOKENS) },
  });

  const rows: Row[] = [];
  for (const streams of STREAMS) {
    const path: StreamTimings = { ttftMs: [], interTokenMs: [] };
    const own: StreamTimings = { ttftMs: [], interTokenMs: [] };
    for (let round = 0; round <= ROUNDS; round++) {
      const task = { streams, requests: REQUESTS_PER_ROUND, answerTokens: ANSWER_TOKENS };
      const through = await streamTimings({ ...task, url: cluster.url, key: TEST_KEY, model: 'tiny-llama' });
      const alone = await engine.measure<StreamTimings>(task);
      if (round === 0) continue; // warms caches, connections and the JIT
      path.ttftMs.push(...through.ttftMs);
      path.interTokenMs.push(...through.interTokenMs);
      own.ttftMs.push(...alone.ttftMs);
      own.interTokenMs.push(...alone.interTokenMs);
    }
    const label = `${streams} stream${streams === 1 ? '' : 's'}`;
    const peer = 'engine alone';
    rows.push(
      differenceRow(`TTFT p50, ${label}`, median(path.ttftMs), 'ms', peer, median(own.ttftMs), 2),
      differenceRow(`TTFT p99, ${label}`, quantile(path.ttftMs, 0.99), 'ms', peer, quantile(own.ttftMs, 0.99), 10),
      differenceRow(`inter-token p50, ${label}`, median(path.interTokenMs), 'ms', peer, median(own.interTokenMs)),
      differenceRow(
        `inter-token p99, ${label}`,
        quantile(path.interTokenMs, 0.99),
        'ms',
        peer,
        quantile(own.interTokenMs, 0.99),
        2,
      ),
    );
  }
  return rows;
}
