import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PromptRenderer } from '#models';
import { DIALECT_CASES, expectValid } from '../support/dialect-cases.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { ScriptedApi } from '../support/scripted-api.ts';
import type { ScriptedJob } from '../support/scripted-worker.ts';

const question = { role: 'user' as const, content: 'Which sky?' };
const assistant = (content: string, more: object = {}) => ({ role: 'assistant' as const, content, ...more });
const tools = [
  { type: 'function' as const, function: { name: 'look_up', parameters: { type: 'object', properties: {} } } },
];

let folder: string;
/** Its template knows tools, and reasoning in contents alone. */
let cluster: ScriptedApi;
let client: OpenAI;
let renderer: PromptRenderer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-continued-'));
  await cp('test/fixtures/models/tiny-llama', folder, { recursive: true });
  const { template } = JSON.parse(await readFile('test/fixtures/chat-templates/qwen3-thinking.json', 'utf8'));
  await writeFile(join(folder, 'chat_template.jinja'), template);
  cluster = await ScriptedApi.start({ folder, contextLength: 2_048 });
  client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  renderer = PromptRenderer.fromCard(cluster.card);
}, 120_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const says =
  (...pieces: readonly string[]) =>
  async (job: ScriptedJob): Promise<void> => {
    for (let choice = 0; choice < job.job.choices; choice++) for (const piece of pieces) job.say(piece, { choice });
    for (let choice = 0; choice < job.job.choices; choice++) job.finish({ choice });
  };
beforeEach(() => {
  cluster.script = says(' grey', ' one', '.');
});

const create = async (last: object, more: object = {}): Promise<OpenAI.ChatCompletion> =>
  client.chat.completions.create({
    model: cluster.card.model,
    messages: [question, last as ReturnType<typeof assistant>],
    ...more,
  });

describe('an answer that the client has begun', () => {
  it.each(DIALECT_CASES)('is told as far as it is new, behind a prompt that ends in it: $path', async (dialect) => {
    for (const [last, more] of [
      [assistant('The'), { continue_final_message: true, add_generation_prompt: false }],
      [assistant('The', { prefix: true }), {}],
    ] as const) {
      const response = await fetch(`${cluster.url}${dialect.path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: cluster.card.model, messages: [question, last], max_tokens: 20, ...more }),
      });
      const whole = await response.json();
      expect([response.status, whole]).toEqual([200, whole]);
      expectValid(dialect, 'completion', whole);
      expect(JSON.stringify(whole)).toContain('" grey one."');
      const { text, tokenIds } = renderer.render([question, assistant('The')], { continueFinalMessage: true });
      expect(text).toMatch(/assistant\n(<think>\n\n<\/think>\n\n)?The$/);
      expect(cluster.lastJob.promptTokenIds).toEqual([...tokenIds]);
      expect(cluster.lastJob.continuesText).toBe(true);
    }
  });

  it('is a new turn behind the same messages where nothing asks for more', async () => {
    await create(assistant('The'));
    expect(cluster.lastJob).not.toHaveProperty('continuesText');
    const closed = [...renderer.render([question, assistant('The')]).tokenIds];
    expect(cluster.lastJob.promptTokenIds).toEqual(closed);
    await create(assistant('The'), { add_generation_prompt: false });
    const ended = renderer.render([question, assistant('The')], { addGenerationPrompt: false });
    expect(cluster.lastJob.promptTokenIds).toEqual([...ended.tokenIds]);
  });

  it('streams what is new of each choice, and counts what was begun in the prompt', async () => {
    const stream = client.chat.completions.stream({
      ...{ model: cluster.card.model, messages: [question, assistant('The')], n: 2, stream: true },
      ...{ stream_options: { include_usage: true }, continue_final_message: true },
    });
    const { choices, usage } = await stream.finalChatCompletion();
    expect(choices.map((choice) => choice.message.content)).toEqual([' grey one.', ' grey one.']);
    expect(usage).toMatchObject({ prompt_tokens: cluster.lastJob.promptTokenIds.length, completion_tokens: 6 });
  });

  it('goes on inside the reasoning that it ends in, and once more when it is told again', async () => {
    cluster.script = says(' see', '.</think>\n\nYes', '.');
    const headers = { 'Idempotency-Key': 'continued-1', authorization: `Bearer ${TEST_KEY}` };
    const last = assistant('<think>\nLet me', { prefix: true });
    for (const replayed of [null, 'true']) {
      const response = await cluster.ask({ messages: [question, last] }, headers);
      const { choices } = (await response.json()) as { choices: { message: object }[] };
      expect(choices[0]!.message).toMatchObject({ content: 'Yes.', reasoning_content: ' see.' });
      expect(response.headers.get('idempotent-replayed')).toBe(replayed);
    }
  });

  it('goes on as it would have when its worker is lost, in reasoning and in a call', async () => {
    const call = '<tool_call>\n{"name": "look_up", "arguments": {}}\n</tool_call>';
    for (const [begun, rest] of [
      ['<think>\nLet me', ' see.</think>\n\nYes, I do.'],
      [call.slice(0, 30), `${call.slice(30)}\n${call}`],
    ] as const) {
      const spoken =
        (cut: number) =>
        async (job: ScriptedJob): Promise<void> => {
          const from = job.resume[0]?.tokenIds.length ?? 0;
          for (const character of rest.slice(from, job.job.epoch === 1 ? cut : rest.length)) job.say(character);
          if (job.job.epoch === 1 && cut < rest.length) job.fail('engine_failed', 'The engine stopped.');
          else job.finish();
        };
      cluster.script = spoken(rest.length);
      const ask = { tools, continue_final_message: true };
      const undisturbed = await create(assistant(begun), ask);
      const told = ({ choices }: OpenAI.ChatCompletion) => JSON.stringify(choices).replaceAll(/call_\w{24}/g, 'call');
      for (const cut of [3, 12]) {
        cluster.script = spoken(cut);
        expect(told(await create(assistant(begun), ask))).toBe(told(undisturbed));
        expect(cluster.lastJob.epoch).toBe(2);
      }
    }
  });

  it('finishes a call that it ends in, and may be followed by one that is held to its form', async () => {
    cluster.script = says(' "look_up", "argu', 'ments": {}}\n</tool_call>');
    const begun = assistant('So:\n<tool_call>\n{"name":');
    const { choices } = await create(begun, { tools, continue_final_message: true });
    expect(choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: null, tool_calls: [{ function: { name: 'look_up', arguments: '{}' } }] },
    });
    cluster.script = says('<tool_call>\n{"name": "look_up", "arguments": {}}\n</tool_call>');
    const required = { tools, tool_choice: 'required', continue_final_message: true };
    const held = await create(assistant('I look it up.\n'), required);
    expect(held.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } });
    const jobs = cluster.worker.jobs.length;
    await expect(create(begun, required)).rejects.toMatchObject({
      status: 400,
      param: 'messages[1].content',
      message: expect.stringMatching(/middle of a mark or of a call.*End it before that/),
    });
    expect(cluster.worker.jobs.length).toBe(jobs);
  });

  it('has a form of its own in what is new', async () => {
    cluster.script = says('{"sky": "grey"}');
    const format = { response_format: { type: 'json_object' }, continue_final_message: true };
    const { choices } = await create(assistant('As JSON:\n'), format);
    expect(choices[0]!.message.content).toBe('{"sky": "grey"}');
    expect(cluster.lastJob.constraint).toEqual({ type: 'json_object' });
  });

  it('is refused before the queue where the template does not write its text, naming it', async () => {
    const jobs = cluster.worker.jobs.length;
    await expect(create({ role: 'assistant', reasoning_content: 'Let me', prefix: true })).rejects.toMatchObject({
      status: 400,
      code: 'invalid_request',
      param: 'messages[1].reasoning_content',
      message: expect.stringMatching(/can not be continued.*template.*Remedy: begin the answer with another text/),
    });
    expect(cluster.worker.jobs.length).toBe(jobs);
  });
});
