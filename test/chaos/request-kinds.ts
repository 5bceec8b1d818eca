const words = { type: 'array', items: { enum: ['mill', 'race', 'wheel', 'stone'] }, minItems: 25, maxItems: 25 };
const schema = { type: 'object', properties: { words }, required: ['words'], additionalProperties: false };
/** Short, since the model's whole context is 512 tokens, most of which it takes to tell of the tool. */
const letters = { type: 'string', pattern: '^[a-z]{40}$' };
const tool = { name: 'grind', parameters: { type: 'object', properties: { letters }, required: ['letters'] } };

/** Requests of every kind that has state which a failover could lose. */
export const REQUEST_KINDS: Readonly<Record<string, object>> = {
  greedy: { temperature: 0, max_tokens: 220 },
  'seeded with penalties and stop strings': {
    temperature: 0.9,
    top_p: 0.95,
    seed: 7,
    frequency_penalty: 0.3,
    stop: ['zzzz', 'qqqq'],
    max_tokens: 220,
  },
  'three choices': { n: 3, temperature: 1, seed: 3, max_tokens: 120 },
  'log probabilities': { logprobs: true, top_logprobs: 3, temperature: 1, seed: 4, max_tokens: 100 },
  'JSON schema': {
    response_format: { type: 'json_schema', json_schema: { name: 'words', strict: true, schema } },
    ignore_eos: false,
    temperature: 1,
    seed: 5,
    max_tokens: 300,
  },
  'a tool call': {
    messages: [{ role: 'user', content: 'Go.' }],
    tools: [{ type: 'function', function: tool }],
    tool_choice: 'required',
    parallel_tool_calls: false,
    ignore_eos: false,
    temperature: 1,
    seed: 8,
    max_tokens: 60,
  },
  'not streamed': { stream: false, stream_options: undefined, n: 2, temperature: 1, seed: 6, max_tokens: 150 },
};

/** A streamed request of that kind. */
export function requestOf(kind: string, model: string): object {
  return {
    model,
    messages: [{ role: 'user', content: `Tell me about rivers and mills, please: ${kind}.` }],
    stream: true,
    stream_options: { include_usage: true },
    ignore_eos: true,
    ...REQUEST_KINDS[kind],
  };
}
