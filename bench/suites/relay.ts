import { readFileSync } from 'node:fs';
import { openModelFolder } from '#models';
import { ProductProcess, TEST_KEY } from '../../test/support/product-process.ts';
import { RedisServer } from '../../test/support/redis-server.ts';
import { median } from '../report/statistics.ts';
import { pairedRatioRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { Counted } from '../sides/counting-clients.ts';
import type { Received } from '../sides/relay-receiver.ts';

const STREAMS = 1_024;
const DELTAS_PER_STEP = 32;
const ROUNDS = 5;
const SECONDS = 4;
const SSE_STEPS = 200;
const SSE_STEP_MS = 50;
/** Ticks of /proc/PID/stat a second, on every Linux that runs Node. */
const TICKS_PER_S = 100;

const alone = { peer: null, peerValue: null, ratio: null };

/** Tokens a second of one API core: from the relay's socket to sinks, and on to clients as SSE; nothing may be lost. */
export async function relaySuite({ quick }: { quick: boolean }): Promise<Row[]> {
  return [...(await sinks(quick)), ...(await clients(quick))];
}

async function sinks(quick: boolean): Promise<Row[]> {
  const pair = async (bare: boolean) => ({
    receiver: await Side.start('relay-receiver.ts', { bare }),
    sender: await Side.start('relay-sender.ts', { bare }),
  });
  const fenced = await pair(false);
  const bare = await pair(true);
  await using _sides = disposing([fenced.receiver, fenced.sender, bare.receiver, bare.sender]);
  const rates: { fenced: number[]; bare: number[] } = { fenced: [], bare: [] };
  let lost = 0;
  for (let round = 0; round <= (quick ? 1 : ROUNDS); round++) {
    for (const [name, { receiver, sender }] of Object.entries({ fenced, bare })) {
      const { address } = await receiver.measure<Received>({ open: STREAMS });
      const load = { address, run: round, requests: STREAMS, deltasPerStep: DELTAS_PER_STEP, seconds: SECONDS };
      const [received, sent] = await Promise.all([
        receiver.measure<Received>({ await: true }),
        sender.measure<number>(load),
      ]);
      lost += sent - received.tokens + received.failed;
      // Round 0 warms the JIT.
      if (round > 0) rates[name as keyof typeof rates].push(received.tokens / received.cpuSeconds);
    }
  }
  const name = `relay to sinks, ${STREAMS} streams, ${DELTAS_PER_STEP} tokens a message`;
  const row = pairedRatioRow(name, rates.fenced, 'tokens per API core second', 'bare gRPC stream', rates.bare);
  const rate = median(rates.fenced);
  return [
    { ...row, target: '>= 50,000', holds: rate >= 50_000 },
    { name: 'tokens lost', value: lost, unit: '', ...alone, target: '0', holds: lost === 0 },
  ];
}

async function clients(quick: boolean): Promise<Row[]> {
  await using redis = await RedisServer.start();
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  const card = folder.card({ model: 'tiny-llama', contextLength: 8_192 });
  await using worker = await Side.start('stepping-worker.ts', { redisUrl: redis.url, card, slots: STREAMS });
  await using api = await ProductProcess.start('api', {
    REDIS_URL: redis.url,
    MILLRACE_LOG_LEVEL: 'warn',
    MILLRACE_QUEUE_PLACES: String(2 * STREAMS),
  });
  await using readers = await Side.start('counting-clients.ts', { url: api.url, model: card.model, key: TEST_KEY });
  const open: number[] = [];
  const whole: number[] = [];
  let lost = 0;
  let broken = 0;
  const pid = api.child.pid ?? 0;
  for (let round = 0; round <= (quick ? 1 : 3); round++) {
    const beforeAdmission = cpuSeconds(pid);
    const counted = readers.measure<Counted>({ streams: STREAMS });
    await worker.measure({ requests: STREAMS, steps: 0, stepMs: 0 });
    const beforeSteps = cpuSeconds(pid);
    const stepping = worker.measure<number>({ requests: STREAMS, steps: SSE_STEPS, stepMs: SSE_STEP_MS });
    const [{ tokens, done, seconds }, sent] = await Promise.all([counted, stepping]);
    lost += sent - tokens;
    broken += STREAMS - done;
    const after = cpuSeconds(pid);
    // Round 0 warms the JIT.
    if (round > 0) {
      open.push(tokens / (after - beforeSteps));
      whole.push(tokens / (after - beforeAdmission));
    }
    if (quick) console.log(`${tokens} tokens in ${seconds.toFixed(1)} s, ${open.at(-1) ?? 0} per API core second`);
  }
  const unit = 'tokens per API core second';
  return [
    {
      name: `relay to HTTP clients as SSE, ${STREAMS} open streams, one token each every ${SSE_STEP_MS} ms, settlement included`,
      value: median(open),
      unit,
      ...alone,
      target: '>= 50,000',
      holds: median(open) >= 50_000,
    },
    {
      name: `the same with admission: ${STREAMS} requests of ${SSE_STEPS} tokens`,
      value: median(whole),
      unit,
      ...alone,
      target: null,
      holds: null,
    },
    { name: 'tokens that clients did not get', value: lost, unit: '', ...alone, target: '0', holds: lost === 0 },
    { name: 'streams without [DONE]', value: broken, unit: '', ...alone, target: '0', holds: broken === 0 },
  ];
}

/** User and system time of a process. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function disposing(sides: readonly Side[]): AsyncDisposableStack {
  const stack = new AsyncDisposableStack();
  for (const side of sides) stack.use(side);
  return stack;
}
