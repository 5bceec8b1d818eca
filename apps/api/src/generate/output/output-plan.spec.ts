import { describe, expect, it } from 'vitest';
import { OutputConstraint } from '#contracts';
import type { PromptTraits } from '#models';
import { OPENAI_CHAT } from '../../dialects/openai-chat/openai-chat-dialect.ts';
import { plannedConstraint, plannedReading } from './output-plan.ts';
import { templateVariablesOf } from './template-variables-of.ts';

const PLAIN: PromptTraits = { tools: 'none', reasoning: null, variables: [] };
const THINKING: PromptTraits = {
  tools: 'objects',
  reasoning: { switch: 'enable_thinking', efforts: [], block: { open: '<think>', close: '</think>' } },
  variables: ['enable_thinking', 'greeting'],
};
const NAMED_EFFORTS: PromptTraits = {
  tools: 'objects',
  reasoning: { switch: null, efforts: ['low', 'medium', 'high'], block: null },
  variables: ['reasoning_effort'],
};
const tool = (name: string, more: object = {}) => ({ type: 'function', function: { name, ...more } });
const schema = { type: 'object', properties: { a: { type: 'integer' } } };
const tools = [tool('f', { parameters: schema }), tool('g')];
const JSON_FORMAT = { response_format: { type: 'json_object' } };

const modelOf = (traits: PromptTraits, chatTemplate = '') =>
  ({ card: { model: 'tiny', chatTemplate }, traits }) as Parameters<typeof plannedConstraint>[1];
const requestOf = (change: object) =>
  OPENAI_CHAT.parse({ model: 'tiny', messages: [{ role: 'user', content: 'Hi' }], ...change }).request;
const constraintOf = (change: object, traits = PLAIN, chatTemplate = '') => {
  const constraint = plannedConstraint(requestOf(change), modelOf(traits, chatTemplate), {
    reasoning: 'marked',
    begun: '',
  });
  if (constraint !== null) OutputConstraint.parse(constraint);
  return constraint;
};

describe('the constraint of a request with tools', () => {
  it('holds required and named calls, strict tools and single calls to their form, and nothing else', () => {
    const held = { type: 'tool_calls', format: 'generic', parallel: false };
    const called = [
      { name: 'f', parameters: schema, strict: false },
      { name: 'g', parameters: null, strict: false },
    ];
    expect(constraintOf({ tools })).toBe(null);
    expect(constraintOf({ tools, tool_choice: 'none' })).toBe(null);
    expect(constraintOf({ tools, tool_choice: 'required' })).toEqual({ ...held, tools: called, choice: 'required' });
    const repeated = { tools, tool_choice: 'required', parallel_tool_calls: true };
    expect(constraintOf(repeated)).toMatchObject({ parallel: true });
    expect(constraintOf({ tools, tool_choice: 'required' }, THINKING)).toMatchObject({ parallel: true });
    expect(constraintOf({ ...repeated, tool_choice: tool('g') })).toMatchObject({
      choice: { name: 'g' },
      parallel: false,
    });
    expect(constraintOf({ tools, parallel_tool_calls: false })).toMatchObject({ choice: 'auto', parallel: false });
    const strict = [tool('f', { parameters: schema, strict: true })];
    expect(constraintOf({ tools: strict })).toMatchObject({
      choice: 'auto',
      parallel: true,
      tools: [{ strict: true }],
    });
  });

  it('holds custom tools with a grammar to it in free calls too, and others to a text wherever calls are held', () => {
    const custom = (name: string, more: object = {}) => ({ type: 'custom', custom: { name, ...more } });
    const grammar = { syntax: 'regex', definition: '[0-9]+' };
    const dial = custom('dial', { format: { type: 'grammar', grammar } });
    expect(constraintOf({ tools: [custom('run'), tool('g')] })).toBe(null);
    expect(constraintOf({ tools: [custom('run')], tool_choice: 'required' })).toMatchObject({
      tools: [{ name: 'run', strict: true, parameters: { required: ['input'] } }],
    });
    const either = constraintOf({ tools: [custom('run'), dial, tool('g')] });
    expect(either).toMatchObject({
      choice: 'auto',
      parallel: true,
      tools: [{ strict: true }, { name: 'dial', strict: true, input: grammar }, { strict: false }],
    });
    expect(either).not.toHaveProperty('tools.0.input');
    expect(constraintOf({ tools: [dial], tool_choice: 'none' })).toBe(null);
  });

  it('knows the model’s own form, and that it reasons before', () => {
    expect(constraintOf({ tools, tool_choice: 'required' }, THINKING, '<tool_call> <think>')).toMatchObject({
      format: 'hermes',
      reasoning: { format: 'hermes', start: 'marked' },
    });
    expect(constraintOf(JSON_FORMAT, THINKING, '<tool_call> <think>')).toEqual({
      type: 'json_object',
      reasoning: { format: 'hermes', start: 'marked' },
    });
  });

  it('holds the thinking to the budget of its effort, where the template does not know the effort', () => {
    const budget = (reasoning_effort: string, traits: PromptTraits, more = {}) =>
      constraintOf({ reasoning_effort, ...more }, traits, '<tool_call> <think>')?.reasoning;
    const block = { format: 'hermes', start: 'marked' };
    expect(constraintOf({ reasoning_effort: 'low' }, THINKING, '<tool_call> <think>')).toEqual({
      type: 'text',
      reasoning: { ...block, budgetTokens: 1_024 },
    });
    expect(budget('high', THINKING, JSON_FORMAT)).toEqual({ ...block, budgetTokens: 16_384 });
    const unswitched = { ...THINKING, reasoning: { switch: null, efforts: [], block: THINKING.reasoning!.block } };
    expect(budget('none', unswitched)).toEqual({ ...block, budgetTokens: 0 });
    for (const effort of ['none', 'max']) expect(budget(effort, THINKING)).toBeUndefined();
    expect(budget('low', NAMED_EFFORTS)).toBeUndefined();
    expect(budget('minimal', PLAIN)).toBeUndefined();
  });

  it('is that of the calls where a call is asked for, and of both where it may be either', () => {
    const required = constraintOf({ ...JSON_FORMAT, tools, tool_choice: 'required' });
    expect(required).toMatchObject({ type: 'tool_calls' });
    expect(required).not.toHaveProperty('content');
    expect(constraintOf({ ...JSON_FORMAT, tools, tool_choice: 'none' })).toEqual({ type: 'json_object' });
    const either = { type: 'tool_calls', choice: 'auto', parallel: false };
    expect(constraintOf({ ...JSON_FORMAT, tools }, THINKING)).toMatchObject({ ...either, parallel: true });
    expect(constraintOf({ ...JSON_FORMAT, tools })).toMatchObject({ ...either, content: { type: 'object' } });
    const response_format = { type: 'json_schema', json_schema: { name: 'n', schema } };
    expect(constraintOf({ response_format, tools })).toMatchObject({ ...either, content: schema });
  });
});

describe('the reading of a request', () => {
  const readingOf = (change: object, traits = PLAIN) =>
    plannedReading('id', requestOf(change), modelOf(traits), { reasoning: 'opened', begun: '' });

  it('looks for the calls that are allowed, and waits for whole ones where nothing holds them to their form', () => {
    expect(readingOf({})).toMatchObject({ tools: null, reasoning: 'off', wholeCalls: false });
    expect(readingOf({ tools })).toMatchObject({ tools: [{ name: 'f' }, { name: 'g' }], wholeCalls: true });
    expect(readingOf({ tools, tool_choice: 'required' })).toMatchObject({ wholeCalls: false, heldTo: 'calls' });
    expect(readingOf({ tools, ...JSON_FORMAT })).toMatchObject({ wholeCalls: false, heldTo: 'text and calls' });
    expect(readingOf({ tools })).not.toHaveProperty('heldTo');
    const allowed_tools = { mode: 'auto', tools: [tool('g')] };
    const reading = readingOf({ tools, tool_choice: { type: 'allowed_tools', allowed_tools } });
    expect(reading.tools?.map(({ name }) => name)).toEqual(['g']);
    expect(readingOf({}, THINKING).reasoning).toBe('opened');
  });
});

describe('reasoning_effort and chat_template_kwargs', () => {
  const variablesOf = (change: object, traits: PromptTraits) => templateVariablesOf(requestOf(change), modelOf(traits));

  it('set what the template reads', () => {
    expect(variablesOf({}, THINKING)).toEqual({});
    expect(variablesOf({ reasoning_effort: 'none' }, THINKING)).toEqual({ enable_thinking: false });
    expect(variablesOf({ reasoning_effort: 'high' }, THINKING)).toEqual({ enable_thinking: true });
    expect(variablesOf({ reasoning_effort: 'low' }, NAMED_EFFORTS)).toEqual({ reasoning_effort: 'low' });
    const chat_template_kwargs = { greeting: { of: 'the day' } };
    expect(variablesOf({ reasoning_effort: 'none', chat_template_kwargs }, THINKING)).toEqual({
      greeting: { of: 'the day' },
      enable_thinking: false,
    });
    for (const reasoning_effort of ['none', 'minimal']) expect(variablesOf({ reasoning_effort }, PLAIN)).toEqual({});
  });

  it('turn reasoning on and off by the template’s own name for it, whatever the request calls that', () => {
    for (const on of [true, false]) {
      const type = on ? 'enabled' : 'disabled';
      for (const said of [{ enable_thinking: on }, { think: on }, { thinking: on }, { thinking: { type } }]) {
        expect(variablesOf(said, THINKING)).toEqual({ enable_thinking: on });
        const named = { ...THINKING, reasoning: { ...THINKING.reasoning!, switch: 'thinking' } };
        expect(variablesOf(said, named)).toEqual({ thinking: on });
      }
    }
    expect(variablesOf({ enable_thinking: false, think: false, thinking: null }, PLAIN)).toEqual({});
    expect(() => requestOf({ enable_thinking: true, thinking: { type: 'disabled' } })).toThrow(
      /enable_thinking turns reasoning on, and thinking off. Send one/,
    );
  });

  it.each([
    [{ reasoning_effort: 'high' }, PLAIN, /"high" is not supported: "tiny" does not reason.*"none", "minimal"/],
    [{ reasoning_effort: 'none' }, NAMED_EFFORTS, /"none" is not supported.*"low", "medium", "high"/],
    [{ chat_template_kwargs: { enable_thinking: true } }, PLAIN, /enable_thinking is not supported.*It reads none/],
    [{ chat_template_kwargs: { messages: [] } }, THINKING, /It reads: enable_thinking, greeting/],
    [
      { reasoning_effort: 'low', chat_template_kwargs: { enable_thinking: true } },
      THINKING,
      /reasoning_effort and chat_template_kwargs.enable_thinking set the same/,
    ],
    [{ think: true }, PLAIN, /^think is not supported: "tiny" does not reason/],
    [{ enable_thinking: false }, NAMED_EFFORTS, /^enable_thinking is not supported.*no boolean.*"reasoning_effort"/],
    [
      { thinking: true, chat_template_kwargs: { enable_thinking: true } },
      THINKING,
      /thinking and chat_template_kwargs.enable_thinking set the same/,
    ],
    [{ think: true, reasoning_effort: 'low' }, THINKING, /think and reasoning_effort set the same/],
  ])('refuse %j where the model can not keep to it', (change, traits, message) => {
    expect(() => variablesOf(change, traits)).toThrow(message);
  });
});

describe('the plan of an answer whose beginning the prompt has', () => {
  const HERMES = '<tool_call> <think>';
  const planOf = (change: object, begun: string, reasoning: 'marked' | 'opened' = 'marked') => {
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: begun === '' ? 'x' : begun, prefix: true },
    ];
    const request = requestOf({ messages, ...change });
    const model = modelOf(THINKING, HERMES);
    const prompt = { reasoning, begun };
    return {
      constraint: () => plannedConstraint(request, model, prompt),
      reading: plannedReading('id', request, model, prompt),
    };
  };

  it('reads on from where that leaves it', () => {
    expect(planOf({}, '<think>\nLet').reading).toMatchObject({ reasoning: 'marked', begun: '<think>\nLet' });
    expect(planOf({ tools }, 'Let', 'opened').reading).toMatchObject({ reasoning: 'opened', begun: 'Let' });
  });

  it('holds what is new to the form: behind the reasoning that was begun, and without any where there is content', () => {
    const block = { format: 'hermes' };
    expect(planOf(JSON_FORMAT, '').constraint()).toMatchObject({ reasoning: { ...block, start: 'marked' } });
    expect(planOf(JSON_FORMAT, '<think>\nLet').constraint()).toMatchObject({
      reasoning: { ...block, start: 'opened' },
    });
    expect(planOf(JSON_FORMAT, 'Let', 'opened').constraint()).toMatchObject({
      reasoning: { ...block, start: 'opened' },
    });
    expect(planOf(JSON_FORMAT, 'As JSON: ').constraint()).toEqual({ type: 'json_object' });
    expect(planOf(JSON_FORMAT, '<think>\nLet\n</think>\n\n').constraint()).toEqual({ type: 'json_object' });
  });

  it('has no budget for reasoning that can not come any more', () => {
    const effort = { reasoning_effort: 'low' };
    expect(planOf(effort, 'Yes').constraint()).toBeNull();
    expect(planOf(effort, '<think>\nLet').constraint()).toMatchObject({ type: 'text', reasoning: { start: 'opened' } });
  });

  it('begins calls that are held to their form with what is new', () => {
    const required = { tools, tool_choice: 'required' };
    const { constraint, reading } = planOf(required, 'I look it up.\n');
    expect(constraint()).not.toHaveProperty('reasoning');
    expect(reading).toMatchObject({ begun: '', reasoning: 'off', heldTo: 'calls' });
    expect(planOf(required, '<think>\nLet').reading).toMatchObject({ begun: '', reasoning: 'opened' });
  });

  it.each([
    [{ tools, tool_choice: 'required' }, 'So:\n<tool_call>\n{"name"', /tool_choice/],
    [{ tools, ...JSON_FORMAT }, 'So: <tool_', /tool_choice/],
    [JSON_FORMAT, '<think>\nLet </thi', /response_format/],
    [{ reasoning_effort: 'low' }, '<think>\nLet </thi', /reasoning_effort/],
  ])('is refused where %j would begin in the middle of what was begun', (change, begun, remedy) => {
    const { constraint } = planOf(change, begun);
    expect(constraint).toThrow(remedy);
    expect(constraint).toThrow(expect.objectContaining({ code: 'invalid_request', param: 'messages[1].content' }));
  });

  it('lets a free call be finished', () => {
    expect(planOf({ tools }, '<tool_call>\n{"name"').constraint()).toBeNull();
  });

  it('is refused where calls would begin within a message of the model’s own', () => {
    const request = requestOf({ tools, tool_choice: 'required' });
    const model = modelOf({ ...NAMED_EFFORTS }, '<|channel|> <|message|>');
    const begun = '<|channel|>final<|message|>Yes';
    expect(() => plannedConstraint(request, model, { reasoning: 'marked', begun })).toThrow(/own form/);
    expect(plannedConstraint(request, model, { reasoning: 'marked', begun: '' })).toMatchObject({ format: 'gpt-oss' });
  });
});
