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
  at('model').replaceChildren(...data.map(({ id }) => new Option(id, id, false, id === chosen)));
}

export function openPlayground() {
  at('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    if (stopping === null) void send();
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
  tell(null);
  turns.push({ role: 'user', content: at('message').value });
  const asked = paragraph('user', at('message').value);
  const answer = paragraph('assistant', '');
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
  try {
    await answerInto(answer, body, stopping.signal);
  } catch (error) {
    if (error.name !== 'AbortError') tell(error.message);
  }
  if (answer.textContent === '') {
    // Nothing was answered: the message stays where it was written.
    turns.pop();
    asked.remove();
    answer.remove();
  } else {
    turns.push({ role: 'assistant', content: answer.textContent });
    at('message').value = '';
  }
  stopping = null;
  at('stop').disabled = true;
}

async function answerInto(answer, body, signal) {
  const beganMs = performance.now();
  let firstMs = null;
  const { body: stream } = await request('/v1/chat/completions', {
    method: 'POST',
    body: JSON.stringify(body),
    signal,
  });
  for await (const { data, comment } of readEvents(stream)) {
    if (comment !== undefined) at('speed').textContent = comment;
    if (data === undefined || data === '[DONE]') continue;
    const event = JSON.parse(data);
    if (event.error) throw new Error(event.error.message);
    const text = event.choices[0]?.delta.content ?? '';
    if (text !== '') firstMs ??= performance.now() - beganMs;
    answer.textContent += text;
    if (event.usage) at('speed').textContent = speedOf(event.usage, firstMs, performance.now() - beganMs);
  }
}

function speedOf({ prompt_tokens: prompt, completion_tokens: completion }, firstMs, wholeMs) {
  const rate =
    firstMs === null || completion < 2
      ? ''
      : `, ${((completion - 1) / ((wholeMs - firstMs) / 1_000)).toFixed(1)} tokens/s`;
  const first = firstMs === null ? '' : `, first after ${Math.round(firstMs)} ms`;
  return `${prompt} + ${completion} tokens${first}${rate}`;
}

function paragraph(role, text) {
  const line = document.createElement('p');
  line.dataset.role = role;
  line.textContent = text;
  at('conversation').append(line);
  return line;
}
