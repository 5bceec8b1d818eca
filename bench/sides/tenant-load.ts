import { Agent, type ClientRequest, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveSide } from '../side.ts';
import type { LoadTask, TenantLoad, TenantServed } from '../suites/fairness.ts';

/**
 * Tenants that want more than there is, in a process of their own. What they are told is compared with what the same request
 * was told undisturbed, also of answers that are cut off at the end of the time.
 */
interface Settings {
  url: string;
  model: string;
  answerTokens: number;
  streamed: boolean;
}

/** All of them have one right answer. */
const KINDS: readonly object[] = [
  { temperature: 0 },
  { temperature: 0.9, top_p: 0.95, seed: 7, frequency_penalty: 0.3 },
  { temperature: 1, seed: 3, presence_penalty: 0.2, stop: ['zzzzzz'] },
  { temperature: 1, seed: 4, logprobs: true, top_logprobs: 2 },
];

interface Told {
  readonly status: number;
  /** Without ids and times: the events of a stream, the last of which is `[DONE]`, or the one text of a whole answer. */
  readonly events: readonly string[];
  readonly whole: boolean;
  readonly tokens: number;
}

serveSide<Settings, LoadTask, TenantServed[]>(async ({ url, model, answerTokens, streamed }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 4_000 });
  const undisturbed: (readonly string[])[] = [];

  const ask = (key: string, kind: number, open: Set<ClientRequest>): Promise<Told> =>
    new Promise((resolve) => {
      const body = JSON.stringify({
        model,
        messages: [{ role: 'user', content: `Tell me all about rivers and mills, part ${kind}.` }],
        max_tokens: answerTokens,
        ignore_eos: true,
        stream: streamed,
        ...KINDS[kind],
      });
      let status = 0;
      let text = '';
      const finish = () => {
        open.delete(call);
        resolve({ status, ...(streamed ? streamOf(text) : wholeOf(text)) });
      };
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        authorization: `Bearer ${key}`,
      };
      const call = request(`${url}/v1/chat/completions`, { method: 'POST', agent, headers }, (response) => {
        status = response.statusCode ?? 0;
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', () => {});
        response.on('close', finish);
      });
      open.add(call);
      call.on('error', finish);
      call.end(body);
    });

  const serve = async ({ key, loop }: TenantLoad, endsMs: number): Promise<TenantServed> => {
    const served: TenantServed = { asked: 0, refused: 0, whole: 0, tokens: 0, compared: 0, different: 0 };
    const open = new Set<ClientRequest>();
    const one = async () => {
      const kind = served.asked++ % KINDS.length;
      const { status, events, whole, tokens } = await ask(key, kind, open);
      if (status === 429) served.refused += 1;
      if (status !== 200) return;
      const right = undisturbed[kind] ?? [];
      if (events.length > 0) served.compared += 1;
      if (events.some((event, index) => event !== right[index])) served.different += 1;
      if (whole) served.whole += 1;
      served.tokens += tokens;
    };
    const clients: Promise<void>[] = [];
    const again = async () => {
      while (performance.now() < endsMs) await one();
    };
    if (loop.kind === 'closed') for (let index = 0; index < loop.clients; index += 1) clients.push(again());
    else {
      for (let index = 0; index < loop.atOnce; index += 1) clients.push(one());
      while (performance.now() < endsMs) {
        clients.push(one());
        await sleep(1_000 / loop.ratePerS);
      }
    }
    const left = endsMs - performance.now();
    if (left > 0) await sleep(left);
    for (const call of open) call.destroy();
    await Promise.all(clients);
    return served;
  };

  return async ({ loads, seconds }) => {
    const [first] = loads;
    if (undisturbed.length === 0 && first !== undefined) {
      const alone = await Promise.all(KINDS.map((_, kind) => ask(first.key, kind, new Set())));
      for (const { events, status, whole } of alone) {
        if (!whole) throw new Error(`an undisturbed answer ended with status ${status}, incomplete`);
        undisturbed.push(events);
      }
    }
    const endsMs = performance.now() + seconds * 1_000;
    return Promise.all(loads.map((load) => serve(load, endsMs)));
  };
});

const anonymous = (json: string) =>
  json
    .replace(/"id":"[^"]*"/, '')
    .replace(/"created":\d+/, '')
    .replace(/"cached_tokens":\d+/, '');

function streamOf(text: string): Omit<Told, 'status'> {
  const pieces = text.split('\n\n');
  pieces.pop(); // what was cut off
  const events = pieces.filter((piece) => piece.startsWith('data: ')).map((piece) => anonymous(piece.slice(6)));
  const tokens = events.filter((event) => event.includes('"finish_reason":null')).length;
  return { events, tokens, whole: events.at(-1) === '[DONE]' };
}

function wholeOf(text: string): Omit<Told, 'status'> {
  const usage = /"completion_tokens":(\d+)/.exec(text);
  if (usage === null) return { events: [], tokens: 0, whole: false };
  return { events: [anonymous(text)], tokens: Number(usage[1]), whole: true };
}
