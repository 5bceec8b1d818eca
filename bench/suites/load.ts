import { fileURLToPath } from 'node:url';
import { Cluster } from '../../test/support/cluster.ts';
import { TEST_KEY } from '../../test/support/product-process.ts';
import { longestRequestTokens } from '../clients/length-mix.ts';
import {
  firstTokensMs,
  gapsMs,
  goodPerS,
  type LoadPoint,
  type Objective,
  refusedPerS,
  type ServedRequest,
} from '../clients/served-request.ts';
import { linePlotOf, type Panel } from '../report/line-plot.ts';
import { loadPanels } from '../report/load-panels.ts';
import { median, quantile } from '../report/statistics.ts';
import { figureRow, type Row, type SuiteReport } from '../report/suite-report.ts';
import { Side } from '../side.ts';

interface Served {
  readonly model: string;
  readonly folder: string;
  /** Of the trace's lengths, so that two cores serve some requests a second. */
  readonly scale: number;
  readonly slots: number;
  /** Of which one tenant gets half; more are refused. Some seconds of work, as an operator with such an objective has it. */
  readonly queuePlaces: number;
  readonly objective: Objective;
  readonly worker: Readonly<Record<string, string>>;
  /** Of each load, in the full form and the quick one. */
  readonly seconds: readonly [number, number];
  readonly peakSeconds: readonly [number, number];
}

const SERVED: readonly Served[] = [
  {
    model: 'smollm2-135m-instruct',
    folder: 'models/smollm2-135m-instruct',
    scale: 1 / 8,
    slots: 16,
    queuePlaces: 32,
    objective: { firstTokenMs: 1_000, tokenMs: 100 },
    worker: {},
    seconds: [16, 7],
    peakSeconds: [20, 9],
  },
  {
    // 512 positions; the model costs next to nothing, so this is the path's own load.
    model: 'tiny-llama',
    folder: 'test/fixtures/models/tiny-llama',
    scale: 1 / 20,
    slots: 32,
    queuePlaces: 128,
    objective: { firstTokenMs: 100, tokenMs: 20 },
    worker: { MILLRACE_THREADS: '1' },
    seconds: [7, 3],
    peakSeconds: [7, 3],
  },
];
/** Offered load as parts of the closed loop's peak. */
const LOADS = [0.3, 0.5, 0.7, 0.85, 1, 1.3];
const QUICK_LOADS = [0.5, 1];
/** The load at which bursts are compared with Poisson's arrivals. */
const BURSTY_LOAD = 0.5;
/** Requests that are not answered this long after the last one came count as not served. */
const PATIENCE_MS = 8_000;
const SEED = 7;
/** The first part of a closed loop: its requests begin together and end apart. */
const RAMP = 0.3;

/**
 * Requests of realistic lengths that arrive independently of each other (open loop, Poisson), at rising load until past
 * saturation, through the whole path: built processes, HTTP to SSE. The same seed offers the same requests. The limit is what
 * as many clients as keep every slot taken get done in the same run (closed loop, before and after).
 */
export async function loadSuite({
  quick,
}: {
  quick: boolean;
}): Promise<{ rows: Row[]; plot: (report: SuiteReport) => string }> {
  const rows: Row[] = [];
  const panels: Panel[] = [];
  for (const served of SERVED) {
    const measured = await measure(served, quick);
    rows.push(...measured.rows);
    panels.push(...measured.panels);
  }
  return { rows, plot: (report) => linePlotOf(report, panels) };
}

async function measure(served: Served, quick: boolean): Promise<{ rows: Row[]; panels: Panel[] }> {
  const { model, folder, scale, slots, queuePlaces, objective } = served;
  // The template takes some tokens of its own.
  const slotTokens = 64 * Math.ceil((longestRequestTokens(scale) + 32) / 64);
  await using cluster = await Cluster.start({
    modelFolder: fileURLToPath(new URL(`../../${folder}`, import.meta.url)),
    worker: { MILLRACE_SLOTS: String(slots), MILLRACE_SLOT_TOKENS: String(slotTokens), ...served.worker },
    api: { MILLRACE_QUEUE_PLACES: String(queuePlaces) },
  });
  await using clients = await Side.start('arriving-load.ts', { url: cluster.url, key: TEST_KEY, model, scale });
  const seconds = served.seconds[quick ? 1 : 0];
  const peakSeconds = served.peakSeconds[quick ? 1 : 0];
  const ask = (task: object) => clients.measure<ServedRequest[]>({ seed: SEED, patienceMs: PATIENCE_MS, ...task });
  /** Half as many clients again as there are slots: one always waits for each that ends. */
  const closed = { clients: Math.ceil(slots * 1.5) };
  await ask({ ...closed, seconds: peakSeconds / 3 }); // warms
  const before = peakOf(await ask({ ...closed, seconds: peakSeconds }), peakSeconds);

  const points: LoadPoint[] = [];
  for (const load of quick ? QUICK_LOADS : LOADS) {
    const requests = await ask({ ratePerS: load * before.requestsPerS, bursty: false, seconds });
    points.push({ load, seconds, requests });
  }
  const bursts: LoadPoint = {
    load: BURSTY_LOAD,
    seconds,
    requests: await ask({ ratePerS: BURSTY_LOAD * before.requestsPerS, bursty: true, seconds }),
  };
  const after = quick ? before : peakOf(await ask({ ...closed, seconds: peakSeconds }), peakSeconds);
  const peak = {
    requestsPerS: (before.requestsPerS + after.requestsPerS) / 2,
    tokensPerS: (before.tokensPerS + after.tokensPerS) / 2,
  };

  const best = points.reduce((most, point) => (goodPerS(point, objective) > goodPerS(most, objective) ? point : most));
  const rows = [
    figureRow(`${model}: closed loop of ${closed.clients} clients, ${slots} slots`, peak.requestsPerS, 'requests/s'),
    figureRow(`${model}: closed loop of ${closed.clients} clients, ${slots} slots`, peak.tokensPerS, 'tokens/s'),
    ...points.flatMap((point) => rowsOf(model, point, '', objective, peak.requestsPerS)),
    ...rowsOf(model, bursts, ' in bursts', objective, peak.requestsPerS),
    besidePeak(
      `${model}: most goodput within ${told(objective)}, at a load of ${best.load}`,
      goodPerS(best, objective),
      peak.requestsPerS,
    ),
  ];
  return { rows, panels: loadPanels(model, points, objective, peak.requestsPerS) };
}

/** Whole answers and their tokens a second while the closed loop was full: from when its first answers had ended until its time was over. */
function peakOf(requests: readonly ServedRequest[], seconds: number): { requestsPerS: number; tokensPerS: number } {
  const fromMs = RAMP * seconds * 1_000;
  const ended = requests.filter(({ whole, endedMs }) => whole && endedMs > fromMs && endedMs <= seconds * 1_000);
  const tokens = ended.reduce((sum, { answerTokens }) => sum + answerTokens, 0);
  const fullSeconds = (1 - RAMP) * seconds;
  return { requestsPerS: ended.length / fullSeconds, tokensPerS: tokens / fullSeconds };
}

function rowsOf(model: string, point: LoadPoint, arrivals: string, objective: Objective, peakPerS: number): Row[] {
  const { load, seconds, requests } = point;
  const at = `${model}: load ${load}${arrivals} (${(requests.length / seconds).toFixed(1)} requests/s)`;
  const firstMs = firstTokensMs(point);
  const gaps = gapsMs(point);
  return [
    figureRow(`${at}, TTFT p50`, median(firstMs), 'ms'),
    figureRow(`${at}, TTFT p95`, quantile(firstMs, 0.95), 'ms'),
    figureRow(`${at}, inter-token p50`, median(gaps), 'ms'),
    figureRow(`${at}, inter-token p99`, quantile(gaps, 0.99), 'ms'),
    figureRow(`${at}, refused`, (100 * refusedPerS(point) * seconds) / requests.length, '%'),
    besidePeak(`${at}, goodput within ${told(objective)}`, goodPerS(point, objective), peakPerS),
  ];
}

const besidePeak = (name: string, value: number, peakPerS: number): Row => ({
  ...figureRow(name, value, 'requests/s'),
  peer: 'closed loop',
  peerValue: peakPerS,
  ratio: value / peakPerS,
});

const told = ({ firstTokenMs, tokenMs }: Objective): string => `TTFT <= ${firstTokenMs} ms, <= ${tokenMs} ms a token`;
