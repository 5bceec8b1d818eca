import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { callListSchema, callSchema } from './call-schema.ts';
import { chooseOutputFormat } from './choose-format.ts';
import { genericCallText, genericToolPrompt } from './generic-tool-prompt.ts';
import { joinEvents } from './output-event.ts';
import { OutputParser } from './output-parser.ts';
import { toolSetOf } from './tool-set.ts';

const TOOLS = [
  { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
  {
    name: 'tree',
    parameters: {
      type: 'object',
      properties: { root: { $ref: '#/$defs/node' }, kind: { const: '#/$defs/node' } },
      required: ['root'],
      $defs: { node: { type: 'object', properties: { child: { $ref: '#/$defs/node' } }, additionalProperties: false } },
    },
  },
  { name: 'now' },
];

describe('callSchema', () => {
  it.each([
    [{ name: 'weather', arguments: { city: 'Oslo' } }, true],
    [{ name: 'weather', arguments: {} }, false],
    [{ name: 'tree', arguments: { root: { child: { child: {} } }, kind: '#/$defs/node' } }, true],
    [{ name: 'tree', arguments: { root: { child: 1 } } }, false],
    [{ name: 'tree', arguments: { city: 'Oslo' } }, false],
    [{ name: 'now', arguments: {} }, true],
    [{ name: 'now', arguments: { a: 1 } }, false],
    [{ name: 'rm', arguments: {} }, false],
    [{ name: 'now' }, false],
  ])('of %j says %j, alone and in a list', (call, valid) => {
    const ajv = new Ajv({ strict: false });
    expect(ajv.compile(callSchema(TOOLS))(call)).toBe(valid);
    expect(ajv.compile(callListSchema(TOOLS))([call, call])).toBe(valid);
    expect(ajv.compile(callListSchema(TOOLS, 1))([call, call])).toBe(false);
    const own = TOOLS.find((tool) => tool.name === call.name);
    if (own) expect(ajv.compile(callSchema([own]))(call)).toBe(valid);
  });
});

describe('the generic format', () => {
  it('reads calls as its prompt asks for them', () => {
    const prompt = genericToolPrompt(TOOLS);
    for (const tool of TOOLS) expect(prompt).toContain(JSON.stringify(tool.name));
    const parser = new OutputParser({
      format: chooseOutputFormat('{{ messages }}'),
      tools: toolSetOf(TOOLS),
      reasoning: 'off',
      callId: String,
    });
    const text = genericCallText('weather', '{"city": "Oslo"}');
    expect(joinEvents([...parser.push(text), ...parser.finish()]).calls).toEqual([
      { id: '0', name: 'weather', arguments: '{"city": "Oslo"}', complete: true },
    ]);
    expect(prompt).toContain(text.slice(0, '<tool_call>{"name": "'.length));
  });
});

describe('chooseOutputFormat', () => {
  it.each([
    ['{% for m in messages %}{{ m.content }}{% endfor %}', 'generic'],
    ["{{ '<tool_call>\\n' }}", 'hermes'],
    ["{{ '<tool_call>\\n<function=' ~ name }}{{ '<parameter=' ~ key }}", 'qwen3-coder'],
    ["{{ '<tool_call>' ~ name }}<arg_key>", 'glm'],
    ["{{ '[TOOL_CALLS]' }}", 'mistral'],
    ["{{ '<|python_tag|>' }}", 'llama3-json'],
    ["{{ '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' }}", 'deepseek'],
    ["{{ '<|start|>assistant<|channel|>analysis<|message|>' }}", 'gpt-oss'],
    ["{{ '<|tool_calls_section_begin|><|tool_call_begin|>' }}", 'kimi'],
    ["{{ '<function=example_function_name>' }}", 'functionary'],
    ["{{ '>>>all\\n' }}", 'functionary-v3.2'],
    ["{{ '<|START_ACTION|>' }}", 'cohere'],
    ["{{ '<TOOLCALL>' }}", 'json-list'],
    ["{{ '<|tool_call>call:' }}", 'gemma'],
    ["{{ '[func_name1(params_name1=params_value1)]' }}", 'pythonic'],
  ])('takes %s for %s', (template, name) => {
    expect(chooseOutputFormat(template).name).toBe(name);
  });
});
