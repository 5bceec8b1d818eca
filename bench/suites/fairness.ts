import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { KeyStore, TenantStore } from '#admission';
import { connectRedis, redisKeys } from '#queue';
import { Cluster } from '../../test/support/cluster.ts';
import { lengthenedModel } from '../../test/support/lengthened-model.ts';
import { firstTokenMs } from '../clients/first-token.ts';
import { median, quantile } from '../report/statistics.ts';
import { type Row, ratioRow } from '../report/suite-report.ts';
import { Side } from '../side.ts';

/** One tenant that asks for more than it gets. */
export interface TenantLoad {
  readonly key: string;
  /** `closed`: so many clients, each asking again when it was answered. `open`: so many at once and then a second, come what may. */
  readonly loop:
    | { readonly kind: 'closed'; readonly clients: number }
    | { readonly kind: 'open'; readonly atOnce: number; readonly ratePerS: number };
}

/** The first task first asks each kind of request undisturbed. */
export interface LoadTask {
  readonly loads: readonly TenantLoad[];
  readonly seconds: number;
}

export interface TenantServed {
  asked: number;
  refused: number;
  /** Answers that came to their end. */
  whole: number;
  /** Of all answers, those that were cut off at the end included. */
  tokens: number;
  /** Answers of which something came: of streams the events up to the end of the time, of others those that came to their end. */
  compared: number;
  /** Answers that are not byte by byte what an undisturbed one is. */
  different: number;
}

interface Subject {
  readonly name: string;
  readonly model: string;
  readonly folder: string;
  /** The model is lengthened to so many positions; null for what it has. */
  readonly positions: number | null;
  /** Whether the flood asks for streams. */
  readonly streamed: boolean;
  /** Whether figures are held against limits. */
  readonly judged: boolean;
  readonly slots: number;
  readonly threads: number;
  /** Of each flooding request. */
  readonly answerTokens: number;
  /** Of each request where three tenants share: whole ones only count when they have ended. */
  readonly sharedAnswerTokens: number;
  readonly openRatePerS: number;
  readonly samplesPerRound: number;
  readonly sharingSeconds: number;
}

/**
 * A step takes it about a millisecond. Its own 512 positions are over in a tenth of a second, which is no long generation: eight such
 * answers are then asked for, read and sent together eight times a second, and that is another load than seats that are held. It
 * is measured too, and what eight streams of such a model cost the API.
 */
const FIXTURE: Subject = {
  name: 'tiny-llama',
  model: 'tiny-llama',
  folder: 'test/fixtures/models/tiny-llama',
  positions: 4_096,
  streamed: false,
  judged: true,
  slots: 8,
  threads: 1,
  answerTokens: 3_000,
  sharedAnswerTokens: 400,
  // Several times what is served.
  openRatePerS: 20,
  samplesPerRound: 100,
  sharingSeconds: 10,
};
const UNJUDGED: Subject = { ...FIXTURE, judged: false, samplesPerRound: 40 };
const SUBJECTS: readonly Subject[] = [
  FIXTURE,
  { ...UNJUDGED, name: 'tiny-llama, flood of short answers', positions: null, answerTokens: 400 },
  { ...UNJUDGED, name: 'tiny-llama, flood of streams', streamed: true },
  {
    name: 'smollm2-135m-instruct',
    positions: null,
    streamed: true,
    judged: true,
    model: 'smollm2-135m-instruct',
    folder: 'models/smollm2-135m-instruct',
    slots: 8,
    threads: 2,
    answerTokens: 300,
    sharedAnswerTokens: 300,
    openRatePerS: 10,
    samplesPerRound: 20,
    sharingSeconds: 25,
  },
];
const ROUNDS = 3;
/** Requests of the flood that are open for each one of the light tenant. */
const FLOOD = 100;
const LIGHT_TOKENS = 4;
/** For the flood to stand in the queue. */
const FILL_SECONDS = 3;
const TENANTS = ['flood', 'second', 'light'] as const;
type Tenant = (typeof TENANTS)[number];

/**
 * A light tenant's time to first token beside one that holds every seat with long generations and has a hundred of them open,
 * against its time alone, in turns; what the flood is told, byte by byte; and three tenants that all want more than a third.
 * Through the whole path, on the fixture model and on the shipped one.
 */
export async function fairnessSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const rows: Row[] = [];
  for (const subject of SUBJECTS) rows.push(...(await measure(subject, quick)));
  return rows;
}

async function measure(subject: Subject, quick: boolean): Promise<Row[]> {
  const { name, model, slots, answerTokens, streamed, judged } = subject;
  const folder = fileURLToPath(new URL(`../../${subject.folder}`, import.meta.url));
  await using lengthened = subject.positions === null ? null : await lengthenedModel(folder, subject.positions);
  await using cluster = await Cluster.start({
    modelFolder: lengthened?.folder ?? folder,
    worker: {
      MILLRACE_SLOTS: String(slots),
      MILLRACE_SLOT_TOKENS: String(subject.positions ?? 512),
      MILLRACE_THREADS: String(subject.threads),
    },
  });
  const redis = connectRedis(cluster.redisUrl, 'producer');
  await new Promise((resolve) => redis.once('ready', resolve));
  using _connection = { [Symbol.dispose]: () => redis.disconnect() };
  const keys = await tenantKeys(redis);
  const loadOf = (tokens: number) =>
    Side.start('tenant-load.ts', { url: cluster.url, model, answerTokens: tokens, streamed });
  await using load = await loadOf(answerTokens);
  await using sharedLoad = await loadOf(subject.sharedAnswerTokens);
  const flooding = (loads: readonly TenantLoad[], seconds: number, side: Side = load) =>
    side.measure<TenantServed[]>({ loads, seconds } satisfies LoadTask);
  await flooding([{ key: keys.flood, loop: { kind: 'closed', clients: slots } }], 1);

  const worker = async () => {
    const [process] = cluster.workers;
    if (process === undefined) throw new Error('the worker has gone');
    return process.stats();
  };
  const until = async (running: number) => {
    while ((await worker()).engine.running !== running) await sleep(20);
    // Until the whole flood waits, the API is busy with its prompts.
    while (running > 0 && (await redis.zcard(redisKeys.waiting(model))) < FLOOD / 2) await sleep(20);
  };
  let asked = 0;
  const light = async (samples: number) => {
    const times: number[] = [];
    for (let index = 0; index < samples; index += 1) {
      asked += 1;
      times.push(await firstTokenMs({ url: cluster.url, key: keys.light, model, tokens: LIGHT_TOKENS, ask: asked }));
      await sleep((asked * 7) % 40); // so that steps are met at any point
    }
    return times;
  };

  const rounds = quick ? 1 : ROUNDS;
  const samples = Math.ceil(subject.samplesPerRound / (quick ? 3 : 1));
  const loops: Record<'closed' | 'open', TenantLoad['loop']> = {
    closed: { kind: 'closed', clients: FLOOD },
    open: { kind: 'open', atOnce: FLOOD, ratePerS: subject.openRatePerS },
  };
  const alone: number[] = [];
  const beside = { closed: [] as number[], open: [] as number[] };
  const stepsMs: number[] = [];
  let leastWaiting = Number.POSITIVE_INFINITY;
  let [different, answers, parks] = [0, 0, 0];
  await light(10); // warms
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of ['closed', 'open'] as const) {
      await until(0);
      alone.push(...(await light(Math.ceil(samples / 2))));
      // As long as it takes: cut off when the light tenant has been measured.
      const perSampleMs = median(alone) * 3 + 20 + LIGHT_TOKENS * (stepsMs[0] ?? 20);
      const seconds = FILL_SECONDS + (samples * perSampleMs) / 1_000;
      const endsMs = performance.now() + seconds * 1_000;
      const flood = flooding([{ key: keys.flood, loop: loops[kind] }], seconds);
      await until(slots);
      const [before, beganMs] = [await worker(), performance.now()];
      const enough = (round + 1) * samples;
      while (performance.now() < endsMs - 500 && beside[kind].length < enough) {
        beside[kind].push(...(await light(1)));
        leastWaiting = Math.min(leastWaiting, await redis.zcard(redisKeys.waiting(model)));
      }
      const [after, endedMs] = [await worker(), performance.now()];
      stepsMs.push((endedMs - beganMs) / (after.engine.stepsTotal - before.engine.stepsTotal));
      parks += after.engine.parksTotal - before.engine.parksTotal;
      const [served] = await flood;
      different += served?.different ?? 0;
      answers += served?.compared ?? 0;
    }
  }
  await until(0);

  const shared = await flooding(
    [
      { key: keys.flood, loop: loops.closed },
      { key: keys.second, loop: loops.open },
      { key: keys.light, loop: { kind: 'closed', clients: slots } },
    ],
    quick ? subject.sharingSeconds / 2 : subject.sharingSeconds,
    sharedLoad,
  );
  answers += shared.reduce((sum, served) => sum + served.compared, 0);
  const tokens = shared.map((served) => served.tokens);
  const third = tokens.reduce((sum, each) => sum + each, 0) / tokens.length;
  different += shared.reduce((sum, served) => sum + served.different, 0);

  const stepMs = median(stepsMs);
  const allowedMs = 1.5 * quantile(alone, 0.95) + 2 * stepMs;
  const single = { peer: null, peerValue: null, ratio: null, target: null, holds: null };
  return [
    { name: `${name}: one step of ${slots} rows under the flood`, value: stepMs, unit: 'ms', ...single },
    ratioRow(`${name}: TTFT p50 beside a closed loop`, median(beside.closed), 'ms', 'alone', median(alone)),
    ratioRow(`${name}: TTFT p50 beside an open loop`, median(beside.open), 'ms', 'alone', median(alone)),
    { name: `${name}: TTFT p95 alone (${alone.length})`, value: quantile(alone, 0.95), unit: 'ms', ...single },
    ...(['closed', 'open'] as const).map((kind) =>
      ratioRow(
        `${name}: TTFT p95 beside ${FLOOD} open requests, ${kind} loop (${beside[kind].length})`,
        quantile(beside[kind], 0.95),
        'ms',
        '1.5 × p95 alone + 2 steps',
        allowedMs,
        judged ? 1 : undefined,
      ),
    ),
    {
      ...single,
      name: `${name}: least of the flood's requests that waited meanwhile`,
      value: leastWaiting,
      unit: '',
      target: judged ? `>= ${FLOOD / 2}` : null,
      holds: judged ? leastWaiting >= FLOOD / 2 : null,
    },
    { name: `${name}: sequences that were parked meanwhile`, value: parks, unit: '', ...single },
    {
      ...single,
      name: `${name}: flooding answers that differ by a byte (of ${answers})`,
      value: different,
      unit: '',
      target: '0',
      holds: different === 0,
    },
    {
      name: `${name}: least tokens of three tenants (closed, open, closed with ${slots} clients)`,
      value: Math.min(...tokens),
      unit: 'tokens',
      peer: 'a third of all',
      peerValue: third,
      ratio: Math.min(...tokens) / third,
      target: judged ? '>= 0.75x' : null,
      holds: judged ? Math.min(...tokens) / third >= 0.75 : null,
    },
  ];
}

async function tenantKeys(redis: ReturnType<typeof connectRedis>): Promise<Record<Tenant, string>> {
  const keys = { flood: '', second: '', light: '' };
  for (const id of TENANTS) {
    await new TenantStore(redis).put({ id });
    keys[id] = (await new KeyStore(redis).create({ tenantId: id })).key;
  }
  return keys;
}
