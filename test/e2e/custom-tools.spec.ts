import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelCard } from '#contracts';
import { openModelFolder, PromptRenderer } from '#models';
import { Cluster } from '../support/cluster.ts';
import { DIALECT_CASES, expectValid, joined, STREAMING_CASES, streamOf } from '../support/dialect-cases.ts';
import { ProductProcess, TEST_KEY } from '../support/product-process.ts';
import { RedisServer } from '../support/redis-server.ts';
import { type ScriptedJob, ScriptedWorker } from '../support/scripted-worker.ts';

const SHIPPED = 'smollm2-135m-instruct';
const dialect = DIALECT_CASES[0]!;
const messages = [{ role: 'user' as const, content: 'Run something.' }];
const run = { type: 'custom' as const, custom: { name: 'run', description: 'Runs code.' } };
const time = { type: 'function' as const, function: { name: 'time' } };
const tools = [run, time];
/** The function that the model is shown for `run`. */
const shown = {
  type: 'function' as const,
  function: {
    name: 'run',
    description: 'Runs code.',
    parameters: {
      type: 'object',
      properties: { input: { type: 'string' } },
      required: ['input'],
      additionalProperties: false,
    },
  },
};
const call = (name: string, argumentsJson: string) =>
  `<tool_call>{"name": "${name}", "arguments": ${argumentsJson}}</tool_call>`;
const CODE = 'print("é 🙂")\n';
const CODE_CALL = call('run', JSON.stringify({ input: CODE }));

let redis: RedisServer;
let api: ProductProcess;
let worker: ScriptedWorker;
let card: ModelCard;
let client: OpenAI;
let script: (job: ScriptedJob) => Promise<void>;

beforeAll(async () => {
  redis = await RedisServer.start();
  const folder = await openModelFolder('test/fixtures/models/tiny-llama');
  card = folder.card({ model: 'plain', contextLength: 2_048 });
  worker = await ScriptedWorker.start({ redisUrl: redis.url, card, run: (job) => script(job) });
  api = await ProductProcess.start('api', { REDIS_URL: redis.url });
  client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
}, 120_000);

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

const ask = (more: object, path: string = dialect.path) =>
  fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'plain', messages, max_tokens: 400, ...more }),
  });

/** Both forms of one answer, each valid by the schema, and found to be the same. */
async function bothForms(body: object) {
  // biome-ignore lint/suspicious/noExplicitAny: what it is is checked by its schema
  const whole = (await (await ask(body)).json()) as any;
  expectValid(dialect, 'completion', whole);
  const { chunks, done } = await streamOf(dialect, await ask({ ...body, stream: true }));
  expect(done).toBe(true);
  const [choice] = whole.choices;
  const streamed = joined(chunks, 0);
  const withoutIds = (calls: readonly { id: string }[]) => calls.map((each) => ({ ...each, id: '' }));
  expect([streamed.content, withoutIds(streamed.calls), streamed.finishReason]).toEqual([
    choice.message.content ?? '',
    withoutIds(choice.message.tool_calls ?? []),
    choice.finish_reason,
  ]);
  return { choice, deltas: chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []) };
}

function saying(text: string, finish: 'stop' | 'length' = 'stop') {
  return async (job: ScriptedJob) => {
    for (const character of text) job.say(character);
    job.finish({ reason: finish });
  };
}

describe('custom tools', () => {
  it('are shown as functions with one text, in their definition and in earlier calls', async () => {
    script = saying('Done.');
    const earlier = { id: 'call_a', type: 'custom' as const, custom: { name: 'run', input: CODE } };
    const result = { role: 'tool' as const, tool_call_id: 'call_a', content: 'é' };
    const conversation = [...messages, { role: 'assistant' as const, content: null, tool_calls: [earlier] }, result];
    expect((await ask({ tools, messages: conversation })).status).toBe(200);
    const called = { name: 'run', arguments: JSON.stringify({ input: CODE }) };
    const seen = [
      ...messages,
      { role: 'assistant', content: '', tool_calls: [{ id: 'call_a', type: 'function' as const, function: called }] },
      result,
    ];
    const { tokenIds } = PromptRenderer.fromCard(card).render(seen, { tools: [shown, time] });
    expect(worker.jobs.at(-1)!.promptTokenIds).toEqual([...tokenIds]);
  });

  it('are told with the text of their input, beside calls of functions, whole and streamed alike', async () => {
    script = saying(`I run it.\n${CODE_CALL}\n${call('time', '{}')}`);
    const { choice } = await bothForms({ tools });
    expect(choice).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: 'I run it.',
        tool_calls: [
          { id: expect.stringMatching(/^call_\w{24}$/), type: 'custom', custom: { name: 'run', input: CODE } },
          { type: 'function', function: { name: 'time', arguments: '{}' } },
        ],
      },
    });
  });

  it('are streamed while they are written where they are asked for, and told as far as they came where they are cut', async () => {
    script = saying(CODE_CALL);
    const held = { tools: [{ name: 'run', parameters: shown.function.parameters }] };
    for (const choice of ['required', { type: 'custom', custom: { name: 'run' } }]) {
      const { deltas } = await bothForms({ tools: [run], tool_choice: choice });
      expect(deltas[0]).toMatchObject({ type: 'custom', custom: { name: 'run', input: '' } });
      // One for each character of the text.
      expect(deltas.slice(1).map(({ custom }) => custom?.input)).toEqual([...CODE]);
      expect(worker.jobs.at(-1)!.constraint).toMatchObject({ type: 'tool_calls', ...held });
    }
    const allowed = { mode: 'required', tools: [{ type: 'custom', custom: { name: 'run' } }] };
    await bothForms({ tools, tool_choice: { type: 'allowed_tools', allowed_tools: allowed } });
    expect(worker.jobs.at(-1)!.constraint).toMatchObject({ choice: 'required', ...held });
    script = saying(CODE_CALL.slice(0, CODE_CALL.indexOf('🙂')), 'length');
    expect((await bothForms({ tools, tool_choice: 'required' })).choice).toMatchObject({
      finish_reason: 'length',
      message: { tool_calls: [{ custom: { name: 'run', input: 'print("é ' } }] },
    });
  });

  it('have the arguments as their input where a free model wrote others', async () => {
    for (const [written, input] of [
      ['{"code": "a"}', '{"code": "a"}'],
      ['{}', '{}'],
      ['{"language": "python", "input": "a"}', 'a'],
    ] as const) {
      script = saying(call('run', written));
      const { choice } = await bothForms({ tools });
      expect([choice.finish_reason, choice.message.tool_calls[0].custom]).toEqual([
        'tool_calls',
        { name: 'run', input },
      ]);
    }
    script = saying(CODE_CALL);
    expect((await bothForms({ tools, tool_choice: 'none' })).choice.message).toMatchObject({ content: CODE_CALL });
  });

  it('go on in the middle of a call when the worker is lost', async () => {
    const undisturbed = JSON.stringify([{ type: 'custom', custom: { name: 'run', input: CODE } }]);
    for (const cut of [CODE_CALL.indexOf('inp'), CODE_CALL.indexOf('\\n') + 1, CODE_CALL.indexOf('🙂')]) {
      script = async (job) => {
        const begun = job.resume[0]?.tokenIds.length ?? 0;
        const characters = [...CODE_CALL];
        const end = job.job.epoch === 1 ? [...CODE_CALL.slice(0, cut)].length : characters.length;
        for (const character of characters.slice(begun, end)) job.say(character);
        if (job.job.epoch === 1) job.fail('engine_failed', 'The engine stopped.');
        else job.finish();
      };
      const { choice } = await bothForms({ tools, tool_choice: 'required' });
      const calls = choice.message.tool_calls.map(({ id: _id, ...told }: { id: string }) => told);
      expect(JSON.stringify(calls)).toBe(undisturbed);
    }
  });

  it('reach OpenAI’s client whole and by its stream, which takes its calls back', async () => {
    script = saying(CODE_CALL);
    const request = { model: 'plain', messages, tools, max_tokens: 400 };
    const { choices } = await client.chat.completions.create(request);
    const { message } = choices[0]!;
    expect(message.tool_calls).toMatchObject([{ type: 'custom', custom: { name: 'run', input: CODE } }]);
    const streamed = await client.chat.completions
      .stream({ ...request, tool_choice: 'required' })
      .finalChatCompletion();
    expect(streamed.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ type: 'custom', custom: { name: 'run', input: CODE } }] },
    });
    script = saying('Done.');
    const [said] = streamed.choices[0]!.message.tool_calls!;
    const next = await client.chat.completions.create({
      ...request,
      messages: [...messages, streamed.choices[0]!.message, { role: 'tool', tool_call_id: said!.id, content: 'é' }],
    });
    expect(next.choices[0]!.message.content).toBe('Done.');
  });

  it('are refused where a dialect’s document has functions only', async () => {
    for (const { path, outOfRange } of STREAMING_CASES.slice(1)) {
      const response = await ask({ tools }, path);
      const { error } = (await response.json()) as { error: { param: string; message: string } };
      expect([response.status, error.param]).toEqual([outOfRange, 'tools[0].type']);
      expect(error.message).toContain('"custom"');
    }
  });
});

describe('custom tools with a grammar, with the shipped model', () => {
  let cluster: Cluster;
  let real: OpenAI;
  beforeAll(async () => {
    cluster = await Cluster.start({
      modelFolder: fileURLToPath(new URL(`../../models/${SHIPPED}`, import.meta.url)),
      worker: { MILLRACE_SLOTS: '4', MILLRACE_SLOT_TOKENS: '2048' },
    });
    real = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  }, 120_000);
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  const grammarTool = (name: string, syntax: 'lark' | 'regex', definition: string) => ({
    type: 'custom' as const,
    custom: { name, format: { type: 'grammar' as const, grammar: { syntax, definition } } },
  });
  const dial = grammarTool('dial', 'regex', '\\+[1-9]\\d{2,5}');
  const draw = grammarTool(
    'draw',
    'lark',
    'start: "draw \\"" SHAPE "\\"" ("\\n" MOVE)~1..3\nSHAPE: "line" | "box"\nMOVE: /[a-d]/ /[1-9]/',
  );
  const TEXTS: Readonly<Record<string, RegExp>> = {
    dial: /^\+[1-9]\d{2,5}$/,
    draw: /^draw "(?:line|box)"(?:\n[a-d][1-9]){1,3}$/,
  };
  const request = { model: SHIPPED, messages, max_tokens: 200, temperature: 1 };

  /** Asserts that each call is of a custom tool, with a text of its grammar, and gives their names. */
  function namesOf(calls: readonly OpenAI.ChatCompletionMessageToolCall[] | undefined): string[] {
    return (calls ?? []).map((each) => {
      if (each.type !== 'custom') throw new Error(`a call of the type ${each.type}`);
      expect(each.custom.input).toMatch(TEXTS[each.custom.name]!);
      return each.custom.name;
    });
  }

  it('are called with a text of it, by name and by choice, whole and streamed alike', async () => {
    for (const [tool_choice, names] of [
      [{ type: 'custom', custom: { name: 'dial' } }, ['dial']],
      [{ type: 'custom', custom: { name: 'draw' } }, ['draw']],
      ['required', ['dial', 'draw']],
      [
        {
          type: 'allowed_tools',
          allowed_tools: { mode: 'required', tools: [{ type: 'custom', custom: { name: 'draw' } }] },
        },
        ['draw'],
      ],
    ] as [OpenAI.ChatCompletionToolChoiceOption, string[]][]) {
      const asked = { ...request, tools: [dial, draw], tool_choice, seed: 5 };
      const { choices } = await real.chat.completions.create(asked);
      expect(choices[0]!.finish_reason).toBe('tool_calls');
      const [name, ...others] = namesOf(choices[0]!.message.tool_calls);
      expect([names.includes(name!), others]).toEqual([true, []]);
      const streamed = await real.chat.completions.stream(asked).finalChatCompletion();
      const told = (calls: readonly OpenAI.ChatCompletionMessageToolCall[] | undefined) =>
        (calls ?? []).map((each) => (each.type === 'custom' ? each.custom : null));
      expect(told(streamed.choices[0]!.message.tool_calls)).toEqual(told(choices[0]!.message.tool_calls));
    }
  });

  it('are refused with 400 that names the tool’s grammar where it can not be enforced', async () => {
    for (const [bad, message] of [
      [grammarTool('bad', 'lark', 'start: missing'), /bad.*rule "missing" is not defined/],
      [grammarTool('bad', 'regex', '(a)(?=b)'), /bad.*looks ahead/],
    ] as const) {
      for (const tool_choice of ['auto', 'required'] as const) {
        const refused = await real.chat.completions
          .create({ ...request, tools: [dial, bad], tool_choice })
          .catch((error: unknown) => error);
        expect(refused).toMatchObject({
          status: 400,
          param: 'tools[1].custom.format.grammar.definition',
          message: expect.stringMatching(message),
        });
      }
    }
  });
});
