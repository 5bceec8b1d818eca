import { answerLimit } from './answer-limit.ts';

/** What one turn of a chat took. */
export interface ChatTurn {
  /** From 0. */
  readonly turn: number;
  readonly ttftMs: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

export interface Chats {
  /** Replicas that a chat's turns go to in turn, as behind a balancer. */
  readonly urls: readonly string[];
  readonly key: string;
  readonly model: string;
  readonly chats: number;
  /** Chats that go on at the same time. */
  readonly atOnce: number;
  readonly turns: number;
  readonly answerTokens: number;
  /** Text of a chat's turn. */
  readonly asked: (chat: number, turn: number) => string;
  /** Text before all of them. */
  readonly system: string;
}

/** Has chats of several turns, each sending back what it was answered. */
export async function chatTurns(load: Chats): Promise<ChatTurn[]> {
  const turns: ChatTurn[] = [];
  let next = 0;
  const client = async () => {
    while (next < load.chats) turns.push(...(await chatOf(load, next++)));
  };
  await Promise.all(Array.from({ length: load.atOnce }, client));
  return turns;
}

async function chatOf(load: Chats, chat: number): Promise<ChatTurn[]> {
  const messages = [{ role: 'system', content: load.system }];
  const turns: ChatTurn[] = [];
  for (let turn = 0; turn < load.turns; turn += 1) {
    messages.push({ role: 'user', content: load.asked(chat, turn) });
    const { text, ...timing } = await answerOf(load, load.urls[(chat + turn) % load.urls.length] ?? '', messages);
    messages.push({ role: 'assistant', content: text });
    turns.push({ turn, ...timing });
  }
  return turns;
}

async function answerOf({ key, model, answerTokens }: Chats, url: string, messages: readonly object[]) {
  const begin = performance.now();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    signal: answerLimit(),
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{ model, messages, temperature: 0, max_tokens: answerTokens, ignore_eos: true, stream: true },
      stream_options: { include_usage: true },
    }),
  });
  if (!response.ok || response.body === null)
    throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  let [text, rest, ttftMs] = ['', '', 0];
  let usage = { prompt_tokens: 0, prompt_tokens_details: { cached_tokens: 0 } };
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + piece).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = /^data: (\{.*)$/m.exec(event)?.[1];
      if (data === undefined) continue;
      const chunk = JSON.parse(data) as { choices: { delta: { content?: string } }[]; usage?: typeof usage };
      const content = chunk.choices[0]?.delta.content ?? '';
      if (content !== '' && ttftMs === 0) ttftMs = performance.now() - begin;
      text += content;
      usage = chunk.usage ?? usage;
    }
  }
  const { prompt_tokens: promptTokens, prompt_tokens_details: details } = usage;
  return { text, ttftMs, promptTokens, cachedTokens: details.cached_tokens };
}
