import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { chooseOutputFormat } from './choose-format.ts';

const FOLDER = new URL('../../../../test/fixtures/model-templates/', import.meta.url);

describe('chooseOutputFormat', () => {
  it.each([
    ['apriel-1.6', 'apriel'],
    ['deepseek-v3.1', 'deepseek'],
    ['gemma4', 'gemma'],
    ['gigachat3', 'json-list'],
    ['glm-4.6', 'glm'],
    ['glm-4.7', 'glm'],
    ['granite-4.0', 'hermes'],
    ['kimi-k2', 'kimi'],
    ['minimax-m2', 'minimax'],
    ['mistral-nemo', 'mistral'],
    ['nemotron-3', 'qwen3-coder'],
    ['qwen-25', 'hermes'],
    ['qwen3', 'hermes'],
    ['qwen3.5', 'qwen3-coder'],
    ['qwen3-coder', 'qwen3-coder'],
    ['seed-oss', 'seed-oss'],
    ['smollm2', 'generic'],
    ['stepfun3.5', 'qwen3-coder'],
  ])('tells the family of a real template: %s writes calls as %s', (file, name) => {
    const { template } = JSON.parse(readFileSync(new URL(`${file}.json`, FOLDER), 'utf8'));
    expect(chooseOutputFormat(template).name).toBe(name);
  });

  it.each([
    ['{{ "<|tools_prefix|>" }}', 'apertus'],
    ["{{ '<start_function_call>call:' }}", 'functiongemma'],
    ["{{ '<longcat_tool_call>' }}", 'longcat'],
    ["{{ '<think></think> and <response></response>' }}{{ '<|tool_call|>' }}", 'granite'],
    ["{{ '<|tool_call|>' }}", 'json-list'],
    ["{{ '<answer>' }}{{ '<tool_calls>' }}", 'hunyuan'],
    ["{{ '<function_calls>' }}", 'olmo'],
    ["{{ '<function_call> ' }}", 'json-list'],
    ['{{ "<|action_start|><|plugin|>" }}', 'internlm'],
    ["{{ 'Action:\\n```json\\n[' }}", 'cohere'],
    ["{{ 'Write \\'Action:\\' followed by a json-formatted list of actions' }}", 'cohere'],
    ["{{ 'Here is my thought process:' }}{{ '<|tool_call|>' }}", 'granite-3.2'],
    ["{{ '<｜DSML｜tool_calls>' }}", 'deepseek-dsml'],
    ["{%- set ns_token = ']<]minimax[>[' -%}{{ '<tool_call>' }}", 'minimax-m3'],
    ["{{- '<|open|>' + tag -}}{{- '<|close|>' + tag + '<|sep|>' -}}", 'kimi-k3'],
    ["{{ '<function name=\"' ~ name ~ '\"><param name=\"' }}", 'minicpm'],
    ["{{ '<steptml:invoke name=\"' }}", 'step3'],
    ["{{ '<|tool_call:begin|>' }}", 'solar'],
    ["{%- set toolsep_token = '<tool_sep{}>'.format(HYTK) %}{{ '<｜hy_eos{}｜>' }}", 'hunyuan-v3'],
    ["{{ '<|extra_0|>' }}{{ '<tool_calls>' }}", 'hunyuan'],
    ['[{"name": "tool_call_name", "arguments": {}}]', 'json-list'],
    ['List of tools: [{{ tools }}]', 'pythonic'],
    ["{{ '<｜GCML｜tool_calls>' }}", 'gigachat-3.5'],
    ["{{ '<dots_function_call>' }}", 'dots'],
    ["{{ '<iquest_tool_call>' }}{{ '<arg_key>' }}", 'iquest'],
    ["{{ '<ifm|tool_call>' }}", 'k2-horizon'],
    ["{{ '<think>' }}{{ '<response>' }}{{ '<tool_call>' }}", 'ernie'],
    ["{% set system = 'First <think>' %}{{ '[TOOL_CALLS]' }}", 'magistral'],
    ["{{ '[THINK]' }}{% if '<think>' in text %}{% endif %}{{ '[TOOL_CALLS][THINK]' }}", 'mistral'],
    ['{{ \'{"name": function name, "parameters": dictionary}\' }}{{ \'<|python_start|>\' }}', 'llama3-json'],
    ["{{ '[func_name1(a=1)]' }}{{ '<|python_start|>' }}", 'pythonic'],
    ["{{ '<extra_id_1>User' }}{{ '<tool> ' + tool | tojson }}", 'json-list'],
    ["{{ '<|tool|>' + message['tools'] + '<|/tool|>' }}", 'json-list'],
    ['```\n[\n    {"name": "func_name1", "arguments": {}}', 'json-list'],
    ["{{ 'Available Tools:' }}{{ '[' }}{% set out = tool_call.function|tojson %}", 'json-list'],
    ["{{ '</thought>' }}{{ '<thought>' }}", 'exaone-deep'],
  ])('tells it by its marks: %s', (template, name) => expect(chooseOutputFormat(template).name).toBe(name));
});
