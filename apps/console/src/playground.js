import { request, tell } from './client.js';
import { readEvents } from './events.js';

const at = (id) => document.getElementById(id);
/** What was said so far; the system message is put before it with each request. */
const turns = [];
let stopping = null;

/** Offers the models that are served now. */
export async function showModels(call) {
  const { data } = await call('/v1/models');
  const chosen = at('model').value;
  const options = data.map(({ id }) => new Option(id, id, false, id === chosen));
  at('model').replaceChildren(...(options.length === 0 ? [new Option('no model is served now', '')] : options));
}

export function openPlayground() {
  at('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    if (stopping === null) void send();
  });
  at('message').addEventListener('keydown', (event) => {
    // An input method's own Enter chooses a word.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    at('ask').requestSubmit();
  });
  at('stop').addEventListener('click', () => stopping?.abort());
  at('anew').addEventListener('click', () => {
    stopping?.abort();
    turns.length = 0;
    at('conversation').replaceChildren();
    at('speed').textContent = '';
  });
}

async function send() {
  stopping = new AbortController();
  at('stop').disabled = false;
  at('conversation').ariaBusy = 'true';
  at('speed').textContent = '';
  tell(null);
  const message = at('message').value;
  turns.push({ role: 'user', content: message });
  const shown = [paragraph('user', message), paragraph('reasoning', ''), paragraph('assistant', '')];
  const [asked, reasoning, answer] = shown;
  const messages = turns.slice();
  if (at('system').value !== '') messages.unshift({ role: 'system', content: at('system').value });
  const body = {
    model: at('model').value,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    ...(at('temperature').value !== '' && { temperature: Number(at('temperature').value) }),
    ...(at('tokens').value !== '' && { max_tokens: Number(at('tokens').value) }),
  };
  const { signal } = stopping;
  try {
    await answerInto({ reasoning, answer }, body, signal);
  } catch (error) {
    at('speed').textContent = signal.aborted ? 'stopped' : '';
    if (!signal.aborted) tell(error.message);
  }
  if (asked.isConnected) keepTurn(message, shown, answer.textContent);
  stopping = null;
  at('stop').disabled = true;
  at('conversation').ariaBusy = 'false';
}

/** Of what was asked and answered, what stays; nothing where a new conversation was begun meanwhile. */
function keepTurn(message, shown, answer) {
  if (answer === '') {
    // Nothing was answered: the message stays where it was written.
    turns.pop();
    for (const line of shown) line.remove();
    return;
  }
  turns.push({ role: 'assistant', content: answer });
  if (at('message').value === message) at('message').value = '';
}

async function answerInto({ reasoning, answer }, body, signal) {
  const beganMs = performance.now();
  let firstMs = null;
  let whole = false;
  const { body: stream } = await request('/v1/chat/completions', {
    method: 'POST',
    body: JSON.stringify(body),
    signal,
  });
  for await (const { data, comment } of readEvents(stream)) {
    if (comment !== undefined) at('speed').textContent = waitText(comment);
    if (data === '[DONE]') whole = true;
    if (data === undefined || data === '[DONE]') continue;
    const event = JSON.parse(data);
    if (event.error) throw new Error(event.error.message);
    const { content, reasoning_content: thought } = event.choices[0]?.delta ?? {};
    if (content || thought) firstMs ??= performance.now() - beganMs;
    if (thought) append(reasoning, thought);
    if (content) append(answer, content);
    if (event.usage) at('speed').textContent = speedOf(event.usage, firstMs, performance.now() - beganMs);
  }
  if (!whole) throw new Error('The connection broke off before the answer was whole.');
}

/** What a comment of the stream says, such as `queued position=3 eta_ms=1200`. */
function waitText(comment) {
  const [, position, waitMs] = /^queued position=(\d+) eta_ms=(\d+)/.exec(comment) ?? [];
  if (position !== undefined) return `queued, number ${position} in line, about ${(waitMs / 1_000).toFixed(1)} s`;
  return { queued: 'queued', prefill: 'reading …' }[comment] ?? at('speed').textContent;
}

function speedOf(
  { prompt_tokens: prompt, completion_tokens: completion, prompt_tokens_details: details },
  firstMs,
  wholeMs,
) {
  const cached = details?.cached_tokens ? `, ${details.cached_tokens} cached` : '';
  const rate =
    firstMs === null || completion < 2
      ? ''
      : `, ${((completion - 1) / ((wholeMs - firstMs) / 1_000)).toFixed(1)} tokens/s`;
  const first = firstMs === null ? '' : `, first after ${Math.round(firstMs)} ms`;
  return `${prompt} + ${completion} tokens${cached}${first}${rate}`;
}

/** Adds text to what is shown, and keeps the end in view for who is looking at it. */
function append(line, text) {
  const log = at('conversation');
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  line.hidden = false;
  line.textContent += text;
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function paragraph(role, text) {
  const line = document.createElement('p');
  line.dataset.role = role;
  line.textContent = text;
  line.hidden = text === '';
  at('conversation').append(line);
  at('conversation').scrollTop = at('conversation').scrollHeight;
  return line;
}
