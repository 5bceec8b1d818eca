import { describe, expect, it } from 'vitest';
import { MillraceError } from '#contracts';
import { OPENAI_CHAT } from '../openai-chat/openai-chat-dialect.ts';

const body = { model: 'tiny', messages: [{ role: 'user', content: 'Hi' }] };
const schema = { type: 'object', properties: { a: { type: 'integer' } } };
const json = { type: 'json_schema', schema, strict: false };
const GBNF = 'root ::= "a" | "b"';
const grammar = { type: 'grammar', grammar: GBNF };
const tools = [{ type: 'function', function: { name: 'f' } }];

const formOf = (change: object) => {
  const { constraint, constraintField } = OPENAI_CHAT.parse({ ...body, ...change }).request;
  return { constraint, constraintField };
};

function refusalOf(change: object): MillraceError {
  try {
    formOf(change);
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('what the answer must be, as vLLM’s clients say it', () => {
  it.each([
    [{ guided_json: schema }, 'guided_json', json],
    [{ guided_json: JSON.stringify(schema) }, 'guided_json', json],
    [{ guided_regex: '\\d+' }, 'guided_regex', { type: 'pattern', pattern: '\\d+' }],
    [{ guided_choice: ['a', 'b'] }, 'guided_choice', { type: 'choice', texts: ['a', 'b'] }],
    [{ structured_outputs: { json: schema, regex: null } }, 'structured_outputs.json', json],
    [{ structured_outputs: { json_object: true } }, 'structured_outputs.json_object', { type: 'json_object' }],
    [{ structured_outputs: { regex: 'a' } }, 'structured_outputs.regex', { type: 'pattern', pattern: 'a' }],
    [{ structured_outputs: { choice: ['a'] } }, 'structured_outputs.choice', { type: 'choice', texts: ['a'] }],
    [{ guided_grammar: GBNF }, 'guided_grammar', grammar],
    [{ structured_outputs: { grammar: GBNF } }, 'structured_outputs.grammar', grammar],
    [{ grammar: GBNF }, 'grammar', grammar],
    [{ ebnf: GBNF, regex: '', json_schema: null }, 'ebnf', grammar],
    [{ regex: '\\d+', ebnf: '' }, 'regex', { type: 'pattern', pattern: '\\d+' }],
    [{ json_schema: schema, grammar: '' }, 'json_schema', json],
    [{ json_schema: JSON.stringify(schema) }, 'json_schema', json],
    [{ ebnf: GBNF, tools, tool_choice: 'none' }, 'ebnf', grammar],
    [{ guided_choice: ['a'], tools, tool_choice: 'none' }, 'guided_choice', { type: 'choice', texts: ['a'] }],
    [{ guided_choice: ['a'], response_format: { type: 'text' } }, 'guided_choice', { type: 'choice', texts: ['a'] }],
  ])('takes %j', (change, constraintField, constraint) => {
    expect(formOf(change)).toEqual({ constraint, constraintField });
  });

  it.each([
    [{ guided_json: null, structured_outputs: {} }],
    [{ structured_outputs: { json_object: false, disable_fallback: true, grammar: null } }],
    [{ structured_outputs: { grammar: '' }, guided_grammar: '', grammar: '', ebnf: '', regex: '' }],
  ])('finds nothing in %j', (change) => {
    expect(formOf(change)).toEqual({ constraint: null, constraintField: null });
  });

  it.each([
    [{ guided_json: '[1]' }, 'guided_json', /is no JSON object/],
    [{ guided_json: '{' }, 'guided_json', /is no JSON object/],
    [{ guided_json: 5 }, 'guided_json', /one of the types: string, object/],
    [{ guided_regex: '' }, 'guided_regex', /at least 1 characters/],
    [{ guided_regex: 'a'.repeat(513) }, 'guided_regex', /at most 512 characters/],
    [{ guided_choice: [] }, 'guided_choice', /at least 1 items/],
    [{ guided_choice: [''] }, 'guided_choice[0]', /at least 1 characters/],
    [{ guided_choice: 'a' }, 'guided_choice', /of the type array/],
    [{ structured_outputs: { structural_tag: {} } }, 'structured_outputs.structural_tag', /or a grammar/],
    [{ guided_grammar: 'a'.repeat(131_073) }, 'guided_grammar', /at most 131072 characters/],
    [{ ebnf: ['root'] }, 'ebnf', /of the type string/],
    [{ grammar: GBNF, ebnf: GBNF }, 'ebnf', /^grammar and ebnf both say/],
    [{ grammar: GBNF, tools }, 'grammar', /Set tool_choice to "none"/],
    [{ json_schema: '[]' }, 'json_schema', /is no JSON object/],
    [{ structured_outputs: { chioce: ['a'] } }, 'structured_outputs.chioce', /structured_outputs\.choice/],
    [{ guided_regex: 'a', guided_choice: ['a'] }, 'guided_choice', /guided_regex and guided_choice both say/],
    [
      { guided_regex: 'a', response_format: { type: 'json_object' } },
      'guided_regex',
      /^response_format and guided_regex both say/,
    ],
    [{ guided_regex: 'a', tools }, 'guided_regex', /Set tool_choice to "none"/],
    [{ response_format: { type: 'json_object', schema } }, 'response_format.schema', /with the type "json_schema"/],
  ])('refuses %j, naming %s and what to do', (change, param, message) => {
    expect(refusalOf(change)).toMatchObject({ param, message: expect.stringMatching(message) });
  });
});
