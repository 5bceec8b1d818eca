import { describe, expect, it } from 'vitest';
import { MillraceError } from '#contracts';
import { OPENAI_CHAT } from './openai-chat-dialect.ts';

const parseBody = OPENAI_CHAT.parse;
const messages = [{ role: 'user', content: 'Hi' }];
const body = { model: 'tiny', messages };

const custom = (name: string, more: object = {}) => ({ type: 'custom', custom: { name, ...more } });
const tool = (name: string, more: object = {}) => ({ type: 'function', function: { name, ...more } });
const named = (name: string) => tool(name);
const allowed = (mode: string, names: readonly string[]) => ({
  type: 'allowed_tools',
  allowed_tools: { mode, tools: names.map(named) },
});

function refusal(change: object): MillraceError {
  try {
    parseBody({ ...body, ...change });
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('the openai-chat dialect', () => {
  it("leaves to the model how to sample where the body does not say, and fills OpenAI's other defaults", () => {
    expect(parseBody(body)).toEqual({
      request: {
        model: 'tiny',
        messages,
        promptEnd: 'new-turn',
        choices: 1,
        sampling: {
          temperature: null,
          topP: null,
          topK: null,
          minP: null,
          presencePenalty: 0,
          frequencyPenalty: 0,
          repetitionPenalty: null,
          logitBias: [],
          seed: null,
        },
        stopStrings: [],
        showsStopString: false,
        stopTokenIds: [],
        maxTokens: null,
        maxTokensField: null,
        ignoreEos: false,
        minTokens: 0,
        allowedTokenIds: null,
        badWords: [],
        priorityClass: 'normal',
        constraint: null,
        constraintField: null,
        toolUse: null,
        reasoningEffort: null,
        reasoningSwitch: null,
        templateVariables: {},
        topLogprobs: null,
        tellsTokenIds: false,
        namesTokensByIds: false,
        cacheSalt: null,
        user: null,
        metadata: {},
      },
      delivery: { stream: false, includeUsage: false, continuousUsage: false },
    });
  });

  it('hands every parameter on', () => {
    const { request, delivery } = parseBody({
      ...body,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      min_p: 0.05,
      presence_penalty: 1,
      frequency_penalty: -1,
      repetition_penalty: 1.1,
      logit_bias: { 7: -100 },
      seed: 42,
      n: 3,
      stop: ['END', '\n'],
      max_completion_tokens: 9,
      ignore_eos: true,
      logprobs: true,
      top_logprobs: 5,
      cache_salt: 'team-b',
      user: 'someone',
      metadata: { run: '7' },
      stop_token_ids: [5, 6],
      allowed_token_ids: [7, 8, 7],
      bad_words: ['rain', ' Snow'],
      min_tokens: 4,
      include_stop_str_in_output: true,
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    });
    expect(request).toMatchObject({
      choices: 3,
      sampling: {
        temperature: 0.5,
        topP: 0.9,
        topK: 40,
        minP: 0.05,
        presencePenalty: 1,
        frequencyPenalty: -1,
        repetitionPenalty: 1.1,
        logitBias: [[7, -100]],
        seed: 42,
      },
      stopStrings: ['END', '\n'],
      maxTokens: 9,
      maxTokensField: 'max_completion_tokens',
      ignoreEos: true,
      minTokens: 4,
      priorityClass: 'normal',
      topLogprobs: 5,
      cacheSalt: 'team-b',
      user: 'someone',
      metadata: { run: '7' },
      stopTokenIds: [5, 6],
      allowedTokenIds: [7, 8],
      badWords: ['rain', ' Snow'],
      showsStopString: true,
    });
    expect(delivery).toEqual({ stream: true, includeUsage: true, continuousUsage: true });
  });

  it('takes calls as they were joined from the parts of a stream', () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'clock', arguments: '{}' } };
    const answered = { role: 'assistant', content: null, tool_calls: [{ index: 0, ...call }] };
    const { request } = parseBody({
      ...body,
      messages: [...messages, answered, { role: 'tool', tool_call_id: 'call_1', content: 'noon' }],
    });
    expect(request.messages[1]).toEqual({ role: 'assistant', content: '', tool_calls: [call] });
  });

  it('takes marks for prompt caches, and what LiteLLM notes in an answer that comes back', () => {
    const mark = { cache_control: { type: 'ephemeral', ttl: '1h' } };
    const noted = { provider_specific_fields: { refusal: null } };
    const call = { id: 'call_1', type: 'function', function: { name: 'clock', arguments: '{}' } };
    const { request } = parseBody({
      ...body,
      tools: [{ type: 'function', function: { name: 'clock' }, ...mark }],
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.', ...mark }] },
        { role: 'user', content: 'Hi', ...mark },
        {
          ...{ role: 'assistant', content: null, images: [], thinking_blocks: null, function_call: null },
          ...{ ...noted, ...mark, tool_calls: [{ ...call, ...noted }] },
        },
        { role: 'tool', tool_call_id: 'call_1', content: 'noon', ...mark },
      ],
    });
    expect(request.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: '', tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: 'noon' },
    ]);
    const other = { role: 'user', content: 'Hi', cache_control: { type: 'always' } };
    expect(refusal({ messages: [other] })).toMatchObject({ param: 'messages[0].cache_control.type' });
  });

  it('takes all roles, content parts and names', () => {
    const { request } = parseBody({
      ...body,
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          name: 'Ada',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: 'c', refusal: null, annotations: [], audio: null, tool_calls: [] },
        { role: 'tool', content: 'd', tool_call_id: 'call_1', name: 'clock' },
        { role: 'user', content: 'e', name: null, tool_calls: [], tool_call_id: null },
      ],
    });
    expect(request.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', name: 'Ada', content: 'ab' },
      { role: 'assistant', content: 'c' },
      { role: 'tool', content: 'd', name: 'clock', tool_call_id: 'call_1' },
      { role: 'user', content: 'e' },
    ]);
  });

  it.each([
    { tools: null },
    { tools: [] },
    { tool_choice: 'none' },
    { response_format: { type: 'text' } },
    { n: 1 },
    { store: false },
    { metadata: null },
    { metadata: {} },
    { service_tier: 'auto' },
    { prompt_cache_key: 'session-1' },
    { prompt_cache_retention: 'in_memory' },
    { modalities: ['text'] },
    { stop: null },
    { stop: [] },
    { logit_bias: null },
    { stream_options: null },
    { top_logprobs: 0, logprobs: false },
    { max_tokens: 5, max_completion_tokens: 5 },
    { top_k: -1 },
    { parallel_tool_calls: false },
    { chat_template_kwargs: {} },
    { audio: null, prediction: null, reasoning_effort: null, verbosity: null },
  ])('accepts %j, which changes nothing', (change) => {
    expect(() => parseBody({ ...body, ...change })).not.toThrow();
  });

  it.each([
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ audio: { voice: 'x', format: 'wav' } }, 'audio'],
    [{ store: true }, 'store'],
    [{ web_search_options: {} }, 'web_search_options'],
    [{ functions: [{ name: 'f' }] }, 'functions'],
    [{ stream: true, stream_options: { include_obfuscation: true } }, 'stream_options.include_obfuscation'],
    [{ tempo: 1 }, 'tempo'],
    [{ messages: [{ role: 'user', content: 'a', colour: 'red' }] }, 'messages[0].colour'],
    [{ messages: [{ role: 'user', content: 'a', tool_calls: [{ id: '1' }] }] }, 'messages[0].tool_calls'],
    [{ messages: [{ role: 'assistant', content: 'a', function_call: {} }] }, 'messages[0].function_call'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://x' } }] }] },
      'messages[0].content[0].type',
    ],
  ])('refuses %j as unsupported, naming %s', (change, param) => {
    const error = refusal(change);
    expect(error).toMatchObject({ code: 'unsupported_parameter', param });
    expect(error.message).toContain(param);
    expect(error.message).toMatch(/Remove it|Send parts of the type "text"/);
  });

  it.each([
    [{ model: undefined }, 'model', /model is missing. It must be of the type string/],
    [{ model: 3 }, 'model', /model is 3. It must be of the type string/],
    [{ messages: [] }, 'messages', /at least 1 items/],
    [{ messages: [{ role: 'robot', content: 'a' }] }, 'messages[0].role', /"robot". It must be one of: system/],
    [{ messages: [{ content: 'a' }] }, 'messages[0].role', /is missing. It must be one of: system/],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content', /one of the types: string, array/],
    [{ messages: [{ role: 'user' }] }, 'messages[0].content', /is missing/],
    [{ messages: [{ role: 'assistant', content: null }] }, 'messages[0].content', /null. It must be one of the types/],
    [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text', /is missing/],
    [{ messages: [{ role: 'tool', content: 'a' }] }, 'messages[0].tool_call_id', /is missing/],
    [{ temperature: 2.1 }, 'temperature', /2\.1. It must be at most 2/],
    [{ temperature: '1' }, 'temperature', /"1". It must be of the type number/],
    [{ top_p: -0.1 }, 'top_p', /at least 0/],
    [{ n: 0 }, 'n', /at least 1/],
    [{ n: 1.5 }, 'n', /1\.5. It must be of the type integer/],
    [{ max_tokens: '5' }, 'max_tokens', /"5". It must be of the type integer/],
    [{ max_tokens: 0 }, 'max_tokens', /0. It must be at least 1/],
    [{ max_tokens: 5, max_completion_tokens: 6 }, 'max_tokens', /Send one of them/],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', /at most 4 items/],
    [{ stop: '' }, 'stop', /at least 1 characters/],
    [{ stop: ['a', ''] }, 'stop[1]', /at least 1 characters/],
    [{ logit_bias: { a: 1 } }, 'logit_bias.a', /must be a token id/],
    [{ logit_bias: { 5: 101 } }, 'logit_bias.5', /at most 100/],
    [{ top_logprobs: 5 }, 'top_logprobs', /logprobs is not true/],
    [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs', /at most 20/],
    [{ seed: 1.5 }, 'seed', /must be a whole number/],
    [{ seed: 1e30 }, 'seed', /at most/],
    [{ stream: 'yes' }, 'stream', /of the type boolean/],
    [{ stream_options: { include_usage: true } }, 'stream_options', /only allowed with stream/],
    [
      { stream: true, stream_options: { continuous_usage_stats: true } },
      'stream_options.continuous_usage_stats',
      /Set include_usage to true/,
    ],
    [{ repetition_penalty: 0 }, 'repetition_penalty', /at least 0.01/],
    [{ repetition_penalty: 1e-320 }, 'repetition_penalty', /at least 0.01/],
    [{ metadata: { a: 1 } }, 'metadata.a', /1. It must be of the type string/],
    [{ metadata: { a: 'x'.repeat(513) } }, 'metadata.a', /at most 512 characters/],
    [{ metadata: { ['k'.repeat(65)]: '' } }, `metadata.${'k'.repeat(65)}`, /keys must have at most 64 characters/],
    [
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, ''])) },
      'metadata',
      /at most 16 members/,
    ],
    [{ allowed_token_ids: [-1] }, 'allowed_token_ids[0]', /-1. It must be at least 0/],
    [{ bad_words: ['a', ' '] }, 'bad_words[1]', /must have a character that is no blank/],
    [{ bad_words: ['a'.repeat(129)] }, 'bad_words[0]', /at most 128 characters/],
    [{ stop_token_ids: [-1] }, 'stop_token_ids[0]', /-1. It must be at least 0/],
    [{ stop_token_ids: Array.from({ length: 129 }, () => 1) }, 'stop_token_ids', /at most 128 items/],
    [{ reasoning_effort: 'huge' }, 'reasoning_effort', /"huge". It must be "none" or "minimal" or "low"/],
    [{ tools: [{ type: 'web', web: {} }] }, 'tools[0].type', /"web". It must be one of: "function", "custom"/],
    [{ tools: [custom('a b')] }, 'tools[0].custom.name', /must have 1 to 64 letters, digits/],
    [
      { tools: [custom('f', { format: { type: 'json' } })] },
      'tools[0].custom.format.type',
      /"json". It must be one of: "text", "grammar"/,
    ],
    [{ tools: [custom('f', { format: { type: 'grammar' } })] }, 'tools[0].custom.format.grammar', /is missing/],
    [
      { tools: [custom('f', { format: { type: 'grammar', grammar: { syntax: 'gbnf', definition: 'a' } } })] },
      'tools[0].custom.format.grammar.syntax',
      /"gbnf". It must be "lark" or "regex"/,
    ],
    [
      { tools: [custom('f', { format: { type: 'grammar', grammar: { syntax: 'lark', definition: '' } } })] },
      'tools[0].custom.format.grammar.definition',
      /It must have at least 1 characters/,
    ],
    [{ tools: [tool('f'), custom('f')] }, 'tools[1].custom.name', /"f" comes twice. .* whatever its type/],
    [{ tools: [custom('f'), tool('f')] }, 'tools[1].function.name', /"f" comes twice. Give every tool/],
    [
      { tool_choice: custom('g'), tools: [tool('e'), custom('f')] },
      'tool_choice.custom.name',
      /"g" is none of the tools. .* name one of: "f"\./,
    ],
    [
      { tool_choice: custom('g'), tools: [tool('f')] },
      'tool_choice.custom.name',
      /none of the tools. Send it in tools\./,
    ],
    [
      { tool_choice: custom('f'), tools: [tool('f')] },
      'tool_choice.custom.name',
      /"f" is a tool of the type "function"/,
    ],
    [
      { tool_choice: named('f'), tools: [custom('f')] },
      'tool_choice.function.name',
      /"f" is a tool of the type "custom". Send that type here/,
    ],
    [
      {
        tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [custom('f'), custom('g')] } },
        tools: [custom('f')],
      },
      'tool_choice.allowed_tools.tools[1].custom.name',
      /"g" is none of the tools/,
    ],
    [
      { messages: [{ role: 'assistant', tool_calls: [{ id: 'a', ...custom('f') }] }] },
      'messages[0].tool_calls[0].custom.input',
      /is missing. It must be of the type string/,
    ],
    [{ tools: [tool('a b')] }, 'tools[0].function.name', /must have 1 to 64 letters, digits/],
    [{ tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name', /is missing/],
    [{ tools: [tool('f', { parameters: 'x' })] }, 'tools[0].function.parameters', /"x". It must be of the type/],
    [{ tools: [tool('f'), tool('f')] }, 'tools[1].function.name', /"f" comes twice. Give every tool/],
    [{ tool_choice: 'required' }, 'tool_choice', /"required" asks for a call, but there are no tools/],
    [{ tool_choice: 'any', tools: [tool('f')] }, 'tool_choice', /"any". It must be/],
    [{ tool_choice: named('g'), tools: [tool('f')] }, 'tool_choice.function.name', /"g" is none of the tools.*"f"/],
    [
      { tool_choice: allowed('auto', ['f', 'g']), tools: [tool('f')] },
      'tool_choice.allowed_tools.tools[1].function.name',
      /"g" is none of the tools/,
    ],
    [{ messages: [{ role: 'assistant', tool_calls: [] }] }, 'messages[0].content', /only beside tool_calls/],
    [
      { messages: [{ role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f' } }] }] },
      'messages[0].tool_calls[0].function.arguments',
      /is missing. It must be of the type string/,
    ],
    [{ response_format: { type: 'xml' } }, 'response_format.type', /"xml". It must be one of: "text", "json_object"/],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'a' } } },
      'response_format.json_schema.schema',
      /is missing. It must be of the type object/,
    ],
    [{ chat_template_kwargs: { 'a b': 1 } }, 'chat_template_kwargs.a b', /must be names of up to 64 letters/],
    [{ chat_template_kwargs: { a: [[[[1]]]] } }, 'chat_template_kwargs', /nested at most 4 levels/],
    [{ chat_template_kwargs: { a: 'x'.repeat(9_000) } }, 'chat_template_kwargs', /at most 8192 characters/],
  ])('refuses %j, naming %s, value and remedy', (change, param, message) => {
    expect(refusal(change)).toMatchObject({ code: 'invalid_request', param, message: expect.stringMatching(message) });
  });

  it('takes tools, and every choice of them', () => {
    const parameters = { type: 'object', properties: { city: { type: 'string' } } };
    const tools = [tool('weather', { description: 'Of a city.', parameters, strict: true }), tool('time')];
    const use = (change: object) => parseBody({ ...body, tools, ...change }).request.toolUse;
    expect(use({})).toEqual({
      tools: [
        { name: 'weather', description: 'Of a city.', parameters, strict: true },
        { name: 'time', strict: false },
      ],
      callable: ['weather', 'time'],
      choice: 'auto',
      parallel: null,
    });
    expect(use({ tool_choice: 'none' })).toBe(null);
    expect(use({ tool_choice: 'required', parallel_tool_calls: false })).toMatchObject({
      choice: 'required',
      parallel: false,
    });
    expect(use({ tool_choice: named('time') })).toMatchObject({ choice: { name: 'time' } });
    expect(use({ tool_choice: allowed('required', ['time']) })).toMatchObject({
      tools: [{ name: 'weather' }, { name: 'time' }],
      callable: ['time'],
      choice: 'required',
    });
  });

  it('takes custom tools as functions with a text, and every choice of them', () => {
    const parameters = {
      type: 'object',
      properties: { input: { type: 'string' } },
      required: ['input'],
      additionalProperties: false,
    };
    const tools = [custom('run', { description: 'Runs code.', format: { type: 'text' } }), tool('time'), custom('say')];
    const use = (change: object) => parseBody({ ...body, tools, ...change }).request.toolUse;
    expect(use({})).toEqual({
      tools: [
        { name: 'run', description: 'Runs code.', parameters, strict: false, isCustom: true },
        { name: 'time', strict: false },
        { name: 'say', parameters, strict: false, isCustom: true },
      ],
      callable: ['run', 'time', 'say'],
      choice: 'auto',
      parallel: null,
    });
    expect(use({ tool_choice: 'none' })).toBe(null);
    expect(use({ tool_choice: 'required' })).toMatchObject({ choice: 'required' });
    expect(use({ tool_choice: custom('run') })).toMatchObject({ choice: { name: 'run' } });
    const tool_choice = {
      type: 'allowed_tools',
      allowed_tools: { mode: 'required', tools: [custom('say'), named('time')] },
    };
    expect(use({ tool_choice })).toMatchObject({ callable: ['say', 'time'], choice: 'required' });
  });

  it('shows the model the grammar of a custom tool, and keeps it to be enforced', () => {
    for (const [syntax, described] of [
      ['lark', 'A text of this grammar, which is written as for Lark:\nstart: "a"'],
      ['regex', 'A text that this regular expression matches as a whole:\nstart: "a"'],
    ]) {
      const grammar = { syntax, definition: 'start: "a"' };
      const tools = [custom('run', { format: { type: 'grammar', grammar } })];
      expect(parseBody({ ...body, tools }).request.toolUse?.tools).toEqual([
        {
          name: 'run',
          parameters: {
            type: 'object',
            properties: { input: { type: 'string', description: described } },
            required: ['input'],
            additionalProperties: false,
          },
          strict: true,
          isCustom: true,
          input: grammar,
        },
      ]);
    }
  });

  it('takes calls of custom tools of earlier turns as the model wrote them', () => {
    const call = { id: 'call_1', type: 'custom', custom: { name: 'run', input: 'print("a")\n' } };
    const { request } = parseBody({
      ...body,
      messages: [
        ...messages,
        { role: 'assistant', content: null, tool_calls: [{ index: 0, ...call }] },
        { role: 'tool', content: 'a', tool_call_id: 'call_1' },
      ],
    });
    expect(request.messages.slice(1)).toEqual([
      {
        role: 'assistant',
        content: '',
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'run', arguments: '{"input":"print(\\"a\\")\\n"}' } },
        ],
      },
      { role: 'tool', content: 'a', tool_call_id: 'call_1' },
    ]);
  });

  it('takes calls and reasoning of earlier turns as clients echo them', () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } };
    const echoed = { ...call, function: { ...call.function, parsed_arguments: { a: 1 } } };
    const { request } = parseBody({
      ...body,
      messages: [
        ...messages,
        {
          role: 'assistant',
          content: null,
          refusal: null,
          parsed: null,
          reasoning_content: 'Hm.',
          tool_calls: [echoed],
        },
        { role: 'tool', content: [{ type: 'text', text: '2' }], tool_call_id: 'call_1' },
      ],
    });
    expect(request.messages.slice(1)).toEqual([
      { role: 'assistant', content: '', reasoning_content: 'Hm.', tool_calls: [call] },
      { role: 'tool', content: '2', tool_call_id: 'call_1' },
    ]);
  });

  it('takes what an assistant declined with for its text, and reasoning by its newer name', () => {
    const { request } = parseBody({
      ...body,
      messages: [
        ...messages,
        { role: 'assistant', content: null, refusal: 'I can not.' },
        ...messages,
        {
          role: 'assistant',
          reasoning: 'Hm.',
          content: [
            { type: 'text', text: 'Well. ' },
            { type: 'refusal', refusal: 'No.' },
          ],
        },
        ...messages,
      ],
    });
    expect(request.messages.filter(({ role }) => role === 'assistant')).toEqual([
      { role: 'assistant', content: 'I can not.' },
      { role: 'assistant', content: 'Well. No.', reasoning_content: 'Hm.' },
    ]);
    expect(refusal({ messages: [{ role: 'user', content: [{ type: 'refusal', refusal: 'No.' }] }] })).toMatchObject({
      code: 'unsupported_parameter',
      param: 'messages[0].content[0].type',
    });
    expect(
      refusal({ messages: [{ role: 'assistant', content: [{ type: 'image_url', image_url: {} }] }] }),
    ).toMatchObject({
      code: 'unsupported_parameter',
      param: 'messages[0].content[0].type',
    });
  });

  it('takes the end user’s name from user or safety_identifier', () => {
    expect(parseBody({ ...body, safety_identifier: 'ada' }).request.user).toBe('ada');
    expect(parseBody({ ...body, user: 'ada', safety_identifier: 'ada' }).request.user).toBe('ada');
    expect(refusal({ user: 'ada', safety_identifier: 'bob' })).toMatchObject({
      code: 'invalid_request',
      param: 'user',
    });
  });

  it.each([
    [{ temprature: 1 }, 'temprature', 'temperature'],
    [{ maxTokens: 1 }, 'maxTokens', 'max_tokens'],
    [{ stream: true, stream_options: { includeUsage: true } }, 'stream_options.includeUsage', 'include_usage'],
    [{ messages: [{ role: 'user', content: 'a', nmae: 'b' }] }, 'messages[0].nmae', 'messages[0].name'],
  ])('says of %j what was meant', (change, param, meant) => {
    const error = refusal(change);
    expect(error).toMatchObject({ code: 'unsupported_parameter', param });
    expect(error.message).toMatch(/^Unknown parameter: .*Did you mean .*\? Remove it otherwise\.$/);
    expect(error.message).toContain(meant);
  });

  it('refuses every other field that it does not honour', () => {
    for (const [field, value] of Object.entries({
      function_call: { name: 'f' },
      moderation: {},
      prompt_cache_options: {},
      prompt_cache_retention: '24h',
      prediction: { type: 'content', content: 'a' },
      verbosity: 'low',
      service_tier: 'flex',
    })) {
      expect(refusal({ [field]: value })).toMatchObject({ code: 'unsupported_parameter', param: field });
    }
  });

  it.each([null, 5, 'text', []])('refuses a body that is %j', (value) => {
    expect(() => parseBody(value)).toThrow(/not a JSON object/);
  });

  it('folds a 64-bit seed into the same exact number each time', () => {
    const seedOf = (seed: number) => parseBody({ ...body, seed }).request.sampling.seed;
    expect(seedOf(2 ** 62 + 2 ** 12)).toBe(seedOf(2 ** 62 + 2 ** 12));
    expect(Number.isSafeInteger(seedOf(-(2 ** 63)))).toBe(true);
    expect(seedOf(-5)).toBe(-5);
  });
});
