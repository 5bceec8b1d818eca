import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { TEST_KEY } from '../../test/support/product-process.ts';
import { firstTokenMs } from '../clients/first-token.ts';
import { median } from '../report/statistics.ts';
import { differenceRow, type Row } from '../report/suite-report.ts';

const MODELS = {
  'fixture model': '../../test/fixtures/models/tiny-llama',
  'shipped model': '../../models/smollm2-135m-instruct',
};
const ROUNDS = 7;
const QUICK_ROUNDS = 2;
const ANSWER_TOKENS = 4;
/** Until processes run as compiled as they ever will, about. */
const WARM_UP_REQUESTS = 150;
const WARM_REQUESTS = 9;
const SLOTS = 8;

/** Which processes were started just before. */
type Fresh = 'all processes' | 'the API' | 'the worker';

interface Times {
  /** Time to first token of the first request that each start served, in ms. */
  readonly firstMs: number[];
  /** From fork to ready. */
  readonly readyMs: number[];
}

/**
 * Time to the first token of the first request after a start, beside later ones of the same cluster; with a fresh API or a fresh worker the
 * rest of the cluster has served before. No prompt comes twice, and none finds its beginning in the prefix cache.
 */
export async function firstSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [label, path] of Object.entries(MODELS)) {
    const modelFolder = fileURLToPath(new URL(path, import.meta.url));
    const { times, warmMs } = await measured(modelFolder, quick ? QUICK_ROUNDS : ROUNDS);
    for (const [fresh, { firstMs, readyMs }] of times) {
      const name = `first request with ${fresh} new, ${label}`;
      const told = readyMs.length === 0 ? name : `${name} (ready after ${Math.round(median(readyMs))} ms)`;
      rows.push(differenceRow(told, median(firstMs), 'ms', 'later requests', median(warmMs)));
    }
  }
  return rows;
}

async function measured(modelFolder: string, rounds: number) {
  const model = basename(modelFolder);
  const times = new Map<Fresh, Times>();
  const warmMs: number[] = [];
  let ask = 0;
  const request = (url: string) => firstTokenMs({ url, key: TEST_KEY, model, tokens: ANSWER_TOKENS, ask: ask++ });
  const note = async (fresh: Fresh, url: string, readyMs: number | null) => {
    const { firstMs, readyMs: known } = times.get(fresh) ?? { firstMs: [], readyMs: [] };
    if (readyMs !== null) known.push(readyMs);
    firstMs.push(await request(url));
    times.set(fresh, { firstMs, readyMs: known });
  };
  for (let round = 0; round < rounds; round++) {
    const worker = { MILLRACE_SLOTS: String(SLOTS), MILLRACE_SLOT_TOKENS: '512', MILLRACE_PREFIX_CACHE_MB: '0' };
    await using cluster = await Cluster.start({ modelFolder, worker });
    await note('all processes', cluster.url, null);
    for (let count = 0; count < WARM_UP_REQUESTS; count++) await request(cluster.url);
    for (let count = 0; count < WARM_REQUESTS; count++) warmMs.push(await request(cluster.url));

    let beganMs = performance.now();
    const api = await cluster.addApi();
    await note('the API', api.url, performance.now() - beganMs);

    const [old] = cluster.workers;
    beganMs = performance.now();
    await cluster.addWorker();
    const readyMs = performance.now() - beganMs;
    if (old !== undefined) {
      cluster.takeOut(old);
      await old[Symbol.asyncDispose]();
    }
    await note('the worker', cluster.url, readyMs);
  }
  return { times, warmMs };
}
