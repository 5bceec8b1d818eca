// node --conditions=millrace-source tools/release/try-upgrade.ts FOLDER: FOLDER is a built checkout of the release before this one. Runs both
// in one cluster on this machine, in every mixture that a rolling update and a way back have, while clients compare each
// answer with the one that the release before gave alone. Ends with 1 when one of them differs or is missing.
import { type ChildProcess, fork } from 'node:child_process';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisServer } from '../../test/support/redis-server.ts';

const KEY = 'upgrade-key-0123456789';
const PHASE_MS = 4_000;
const CLIENTS = 4;
const MODEL = 'tiny-llama';
const own = resolve(import.meta.dirname, '../..');
const before = resolve(process.argv[2] ?? '');

const schema = {
  type: 'object',
  properties: { words: { type: 'array', items: { enum: ['mill', 'race'] }, minItems: 20, maxItems: 20 } },
  required: ['words'],
  additionalProperties: false,
};
/** Each with state that could be lost on the way from one release to the other. */
const QUESTIONS: Readonly<Record<string, object>> = {
  greedy: { temperature: 0, max_tokens: 300, ignore_eos: true },
  seeded: { temperature: 0.9, seed: 7, frequency_penalty: 0.3, max_tokens: 300, ignore_eos: true },
  'three choices': { n: 3, temperature: 1, seed: 3, max_tokens: 120, ignore_eos: true },
  'JSON schema': {
    response_format: { type: 'json_schema', json_schema: { name: 'words', strict: true, schema } },
    temperature: 1,
    seed: 5,
    max_tokens: 300,
  },
};

interface Member {
  readonly child: ChildProcess;
  readonly url: string;
}

await using redis = await RedisServer.start();
const children: ChildProcess[] = [];
const apis: Member[] = [await start(before, 'api')];
const workers: Member[] = [await start(before, 'worker')];
const expected = new Map<string, string>();
for (const question of Object.keys(QUESTIONS)) expected.set(question, await ask(question, 0));

const counts = new Map<string, number>();
const problems: string[] = [];
let phase = 'one release';
let over = false;
const clients = Array.from({ length: CLIENTS }, (_, client) => run(client));

await during(phase, async () => {});
await during('a new worker beside the old one', async () => void workers.push(await start(own, 'worker')));
await during('the old API with a new worker, the old one killed', () => kill(workers));
await during('a new API beside the old one', async () => void apis.push(await start(own, 'api')));
await during('a new and an old worker for both', async () => void workers.push(await start(before, 'worker')));
await during('both with an old worker, the new one killed', () => kill(workers));
await during('a new worker again', async () => void workers.push(await start(own, 'worker')));
await during('the old worker drains', () => drain(workers));
await during('the old API goes', () => drain(apis));
over = true;
await Promise.all(clients);
for (const child of children) child.kill('SIGKILL');

console.table(Object.fromEntries(counts));
for (const problem of problems.slice(0, 20)) console.error(problem);
console.log(`${problems.length} of ${[...counts.values()].reduce((a, b) => a + b, 0)} answers are not what they were`);
process.exitCode = problems.length === 0 ? 0 : 1;

async function during(name: string, change: () => Promise<void>): Promise<void> {
  phase = name;
  await change();
  await sleep(PHASE_MS);
}

async function run(client: number): Promise<void> {
  const questions = Object.keys(QUESTIONS);
  for (let nth = client; !over; nth += 1) {
    const question = questions[nth % questions.length] ?? '';
    const at = phase;
    const answer = await ask(question, nth).catch((error: unknown) => String(error));
    counts.set(at, (counts.get(at) ?? 0) + 1);
    if (answer === expected.get(question)) continue;
    problems.push(`${at}, ${question}: ${answer.slice(0, 200)}`);
    await sleep(200);
  }
}

/** The text and the end of every choice. */
async function ask(question: string, nth: number): Promise<string> {
  const api = apis[nth % apis.length];
  const messages = [{ role: 'user', content: `Tell me about ${question}.` }];
  const response = await fetch(`${api?.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, messages, stream: true, ...QUESTIONS[question] }),
  });
  const text = await response.text();
  if (!text.endsWith('data: [DONE]\n\n')) throw new Error(`${response.status} ${text.slice(-200)}`);
  const parts: Record<number, string> = {};
  for (const line of text.split('\n\n').filter((event) => event.startsWith('data: {'))) {
    for (const { index, delta, finish_reason: end } of JSON.parse(line.slice('data: '.length)).choices ?? []) {
      parts[index] = `${parts[index] ?? ''}${delta.content ?? ''}${end ?? ''}`;
    }
  }
  return JSON.stringify(parts);
}

async function start(folder: string, app: 'api' | 'worker'): Promise<Member> {
  const worker = {
    MILLRACE_MODEL: `${own}/test/fixtures/models/${MODEL}`,
    MILLRACE_SLOTS: '8',
    MILLRACE_SLOT_TOKENS: '512',
    MILLRACE_THREADS: '1',
    MILLRACE_GRACE_MS: '200',
    MILLRACE_WORKER_PORT: '0',
  };
  const child = fork(`${folder}/dist/apps/${app}/src/main.js`, {
    cwd: folder,
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH,
      REDIS_URL: redis.url,
      MILLRACE_DEV_KEY: KEY,
      MILLRACE_RELAY_TOKEN: 'upgrade-relay-token-0123456789',
      MILLRACE_HTTP_PORT: '0',
      MILLRACE_MANAGEMENT_PORT: '0',
      ...(app === 'worker' && worker),
    },
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.on('message', ({ type, url }: { type: string; url: string }) => {
      if (type === 'ready') resolve({ child, url });
    });
    child.once('exit', (code, signal) => reject(new Error(`the ${app} of ${folder} ended with ${code ?? signal}`)));
  });
}

/** Ends the oldest member without a word. */
async function kill(members: Member[]): Promise<void> {
  members.shift()?.child.kill('SIGKILL');
}

/** Takes the oldest member out, then stops it. */
async function drain(members: Member[]): Promise<void> {
  const member = members.shift();
  // Who has chosen it before has asked it by then.
  await sleep(500);
  member?.child.kill('SIGTERM');
}
