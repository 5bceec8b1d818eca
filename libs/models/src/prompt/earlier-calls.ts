import type { OutputFormat } from '../output-formats/output-format.ts';
import type { ChatMessage, ChatToolCall } from './chat-message.ts';
import { representation } from './jinja/jinja-text.ts';
import { isDict, isList, type JinjaValue, jinjaValueOf } from './jinja/jinja-value.ts';
import { dataOfJson } from './jinja/json-data.ts';
import { OwnText, type TextPart } from './own-text.ts';

/** Writes the calls of an earlier turn as the model wrote them. */
export type CallWriter = (calls: readonly ChatToolCall[]) => readonly TextPart[];

/**
 * How the calls of earlier turns are written for a template that shows tools and leaves calls out (LFM2, Granite 3, SmolLM3,
 * Falcon H1, Nemotron Mini, Phi 4 mini): the model would see results and none of its questions. Null for families of which no such
 * template is known.
 */
export function callWriter({ name }: OutputFormat, chatTemplate: string): CallWriter | null {
  switch (name) {
    case 'hermes':
    case 'ernie':
      return (calls) =>
        calls.flatMap((call, place) => [
          ...(place === 0 ? [] : [{ text: '\n' }]),
          ...between('<tool_call>', `\n${objectText(call)}\n`, '</tool_call>'),
        ]);
    case 'pythonic':
      return /<\|tool_(?:call|list)_start\|>|List of tools: \[/.test(chatTemplate)
        ? (calls) => between('<|tool_call_start|>', `[${calls.map(pythonText).join(', ')}]`, '<|tool_call_end|>')
        : null;
    case 'granite':
    case 'granite-3.2':
      return (calls) => between('<|tool_call|>', listText(calls), '');
    case 'json-list':
      if (chatTemplate.includes('<|/tool|>')) {
        return (calls) => between('<|tool_call|>', listText(calls), '<|/tool_call|>');
      }
      if (chatTemplate.includes('<|tool_call|>')) return (calls) => between('<|tool_call|>', listText(calls), '');
      if (!chatTemplate.includes('<extra_id_1>')) return null;
      return (calls) => calls.flatMap((call) => between('<toolcall>', ` ${objectText(call)} `, '</toolcall>'));
    default:
      return null;
  }
}

/** The messages with their calls as part of their contents. */
export function withWrittenCalls(messages: readonly ChatMessage[], write: CallWriter): readonly unknown[] {
  return messages.map((message) => {
    const { tool_calls: calls = [], ...rest } = message;
    if (calls.length === 0) return message;
    const before = message.content === '' ? [] : [{ text: `${message.content}\n` }];
    return { ...rest, content: new OwnText([...before, ...write(calls)]) };
  });
}

function between(open: string, text: string, close: string): TextPart[] {
  return [{ text: open, own: true }, { text }, ...(close === '' ? [] : [{ text: close, own: true as const }])];
}

function argumentsText({ function: called }: ChatToolCall): string {
  return typeof called.arguments === 'string' ? called.arguments : JSON.stringify(called.arguments);
}

function objectText(call: ChatToolCall): string {
  return `{"name": ${JSON.stringify(call.function.name)}, "arguments": ${argumentsText(call)}}`;
}

function listText(calls: readonly ChatToolCall[]): string {
  return `[${calls.map(objectText).join(', ')}]`;
}

/** `f(a=1, b="x")`; arguments that are no JSON stand as they are. */
function pythonText(call: ChatToolCall): string {
  const given = argumentsText(call);
  let written = given;
  try {
    const data = jinjaValueOf(dataOfJson(given));
    if (isDict(data)) written = [...data].map(([key, value]) => `${String(key)}=${pythonValue(value)}`).join(', ');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return `${call.function.name}(${written})`;
}

/** A literal of Python with JSON's strings, as models write it. */
function pythonValue(value: JinjaValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(pythonValue).join(', ')}]`;
  if (!isDict(value)) return representation(value);
  return `{${[...value].map(([key, item]) => `${pythonValue(key)}: ${pythonValue(item)}`).join(', ')}}`;
}
