import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { kvBytesOfToken } from '#contracts';
import { inspectModel, type ModelSignature } from '#model-runner';
import { Cluster } from '../../test/support/cluster.ts';
import type { ProductProcess } from '../../test/support/product-process.ts';
import { ask, type Chat, longChat, shortChats } from '../clients/chats.ts';
import { peakMemoryRow } from '../report/peak-memory.ts';
import { figureRow, limitRow, type Row } from '../report/suite-report.ts';

const MIB = 1024 * 1024;
const SHORT_CHATS = 32;
/** Memory that a short chat is given in the first run, and in the second beside a long one that has all of its own. */
const SHORT_TOKENS = 160;
const SCARCE_SHORT_TOKENS = 40;

interface Shape {
  readonly name: string;
  readonly folder: string;
  /** Of the long chat in all, and so of every slot. */
  readonly longTokens: number;
  /** Of each chat. */
  readonly answerTokens: number;
}

/**
 * Memory of a worker process, through the whole path: from its start to its peak with 32 short chats, with these and a long one, and
 * with less memory for keys and values than they want. Every answer is compared with the same one alone.
 */
export async function memorySuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const answerTokens = quick ? 48 : 64;
  const shape = (name: string, folder: string, longTokens: number): Shape => {
    return { name, folder: at(folder), longTokens, answerTokens };
  };
  const shapes: Shape[] = [
    shape('SmolLM2-135M', 'models/smollm2-135m-instruct', quick ? 1_024 : 8_192),
    shape('0.5B shape', 'bench/peers/models/random-0.5b', quick ? 0 : 8_192),
    shape('1.5B shape', 'bench/peers/models/random-1.5b', quick ? 0 : 1_024),
  ];
  const rows: Row[] = [];
  for (const each of shapes) if (existsSync(each.folder)) rows.push(...(await rowsOf(each)));
  return rows;
}

async function rowsOf({ name, folder, longTokens, answerTokens }: Shape): Promise<Row[]> {
  const model = await inspectModel(`${folder}/model.onnx`);
  const slotTokens = Math.max(longTokens, 512);
  const place = { MILLRACE_SLOTS: `${SHORT_CHATS + 1}`, MILLRACE_SLOT_TOKENS: `${slotTokens}` };
  const rest = { MILLRACE_PREFIX_CACHE_MB: '0', MILLRACE_PARKING_SLOTS: '0' };
  await using cluster = await Cluster.start({ modelFolder: folder, workers: 0, worker: { ...place, ...rest } });
  const rows: Row[] = [];

  const plenty = new Budget(model, slotTokens + SHORT_CHATS * SHORT_TOKENS);
  const beganMs = performance.now();
  const worker = await cluster.addWorker({ MILLRACE_KV_MB: `${plenty.mib}` });
  rows.push(
    figureRow(`${name}: time from a worker's start until it takes requests`, performance.now() - beganMs, 'ms'),
  );
  rows.push(plenty.peakRow(`${name}: peak memory of the worker, loaded`, worker));

  const id = folder.slice(folder.lastIndexOf('/') + 1);
  const short = shortChats(SHORT_CHATS, answerTokens);
  for (const chat of short) chat.alone = await ask(cluster, id, chat);
  const together = await run(cluster, id, worker, short, null);
  rows.push(...plenty.rows(`${name}: 32 short chats`, worker, together));
  if (longTokens === 0) return rows;

  const long = await longChat(cluster, id, longTokens, answerTokens);
  long.alone = await ask(cluster, id, long);
  const title = `32 short chats and one of ${longTokens} tokens`;
  rows.push(...plenty.rows(`${name}: ${title}`, worker, await run(cluster, id, worker, short, long)));

  cluster.takeOut(worker);
  await worker.stop();
  const scarce = new Budget(model, slotTokens + SHORT_CHATS * SCARCE_SHORT_TOKENS);
  const other = await cluster.addWorker({ MILLRACE_KV_MB: `${scarce.mib}` });
  const pressed = await run(cluster, id, other, short, long);
  rows.push(...scarce.rows(`${name}: the same with too little memory`, other, pressed));
  rows.push(figureRow(`${name}: sequences that were computed anew for it`, pressed.preemptions, 'times'));
  return rows;
}

/** Memory for keys and values as a worker is told. */
class Budget {
  readonly mib: number;
  readonly #tokenBytes: number;
  readonly #weightBytes: number;

  constructor(signature: ModelSignature, tokens: number) {
    const { weightBytes } = signature;
    this.#tokenBytes = kvBytesOfToken(signature, signature.ownCache ?? signature.cacheType);
    this.#weightBytes = weightBytes;
    this.mib = Math.ceil((tokens * this.#tokenBytes) / MIB);
  }

  peakRow(title: string, worker: ProductProcess): Row {
    const peakBytes =
      1_024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${worker.child.pid}/status`, 'utf8'))?.[1]);
    return peakMemoryRow(title, { peakBytes, weightBytes: this.#weightBytes, kvBytes: this.mib * MIB });
  }

  rows(title: string, worker: ProductProcess, { answers, wrong, mostHeldTokens }: Together): Row[] {
    return [
      this.peakRow(`${title}: peak memory of the worker`, worker),
      limitRow(`${title}: most keys and values in memory`, (mostHeldTokens * this.#tokenBytes) / MIB, 'MiB', this.mib),
      limitRow(`${title}: answers of ${answers} that are lost, or differ from those alone`, wrong, 'answers', 0),
    ];
  }
}

interface Together {
  readonly answers: number;
  readonly wrong: number;
  readonly mostHeldTokens: number;
  readonly preemptions: number;
}

/** All short chats at once, each again and again until the long one has its answer; once where there is none. */
async function run(cluster: Cluster, model: string, worker: ProductProcess, short: readonly Chat[], long: Chat | null) {
  let [answers, wrong, mostHeldTokens, over] = [0, 0, 0, false];
  const once = async (chat: Chat): Promise<void> => {
    const answer = await ask(cluster, model, chat).catch(() => null);
    answers += 1;
    if (answer === null || JSON.stringify(answer) !== JSON.stringify(chat.alone)) wrong += 1;
  };
  const watching = (async () => {
    while (!over) {
      const { engine } = await worker.stats();
      mostHeldTokens = Math.max(mostHeldTokens, engine.kvResidentTokens ?? 0);
      await sleep(100);
    }
  })();
  const { preemptionsTotal } = (await worker.stats()).engine;
  const longAnswered = long === null ? Promise.resolve() : once(long);
  let longOver = long === null;
  void longAnswered.then(() => {
    longOver = true;
  });
  const others = short.map(async (chat) => {
    do await once(chat);
    while (!longOver);
  });
  await Promise.all([longAnswered, ...others]);
  over = true;
  await watching;
  const preemptions = (await worker.stats()).engine.preemptionsTotal - preemptionsTotal;
  return { answers, wrong, mostHeldTokens, preemptions } satisfies Together;
}
