import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** A dialect as its document shows it, from the outside: nothing here comes from the product's sources. */
export interface DialectCase {
  readonly name: string;
  readonly path: string;
  /** Where an OpenAI client's `baseURL` ends; null for a dialect that such clients can not speak. */
  readonly prefix: string | null;
  readonly idPrefix: string;
  /** The status of a parameter with a value out of its range. */
  readonly outOfRange: number;
}

export const DIALECT_CASES: readonly DialectCase[] = [
  { name: 'openai-chat', path: '/v1/chat/completions', prefix: '/v1', idPrefix: 'chatcmpl-', outOfRange: 400 },
  { name: 'api-chat', path: '/api/v1/chat/completions', prefix: '/api/v1', idPrefix: 'chatcmpl-', outOfRange: 422 },
  {
    name: 'model-api-chat',
    path: '/model/api/v1/chat/completions',
    prefix: '/model/api/v1',
    idPrefix: 'cmpl-',
    outOfRange: 400,
  },
  {
    name: 'completion-messages',
    path: '/api/v1/chat/completion_messages',
    prefix: null,
    idPrefix: '',
    outOfRange: 400,
  },
];

/** The dialects whose documents have streams. */
export const STREAMING_CASES = DIALECT_CASES.filter((dialect) => dialect.prefix !== null);

const ajv = new Ajv2020({ strict: true, allErrors: true });
for (const { name } of DIALECT_CASES) {
  ajv.addSchema(
    JSON.parse(readFileSync(new URL(`../fixtures/dialects/${name}.schema.json`, import.meta.url), 'utf8')),
    name,
  );
}

/** Throws with all differences when a body is not what the dialect's document says. */
export function expectValid(dialect: DialectCase, kind: 'completion' | 'chunk' | 'error', body: unknown): void {
  const validate = ajv.getSchema(`${dialect.name}#/$defs/${kind}`) as ValidateFunction | undefined;
  if (validate === undefined) throw new Error(`${dialect.name} has no ${kind}`);
  if (validate(body)) return;
  throw new Error(
    `not a ${kind} of ${dialect.name}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body, null, 1)}`,
  );
}

/** The events of a whole stream, each validated: chunks, then `[DONE]` or an error. */
export async function streamOf(dialect: DialectCase, response: Response): Promise<StreamedBody> {
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith(':'));
  const chunks: Chunk[] = [];
  let error: unknown = null;
  let done = false;
  for (const line of lines) {
    if (!line.startsWith('data: ')) throw new Error(`not a data line: ${line}`);
    if (done || error !== null) throw new Error(`after the end: ${line}`);
    if (line === 'data: [DONE]') {
      done = true;
      continue;
    }
    const event = JSON.parse(line.slice(6));
    if ('error' in event) {
      expectValid(dialect, 'error', event);
      error = event;
    } else {
      expectValid(dialect, 'chunk', event);
      chunks.push(event);
    }
  }
  return { chunks, error, done };
}

export interface StreamedBody {
  readonly chunks: readonly Chunk[];
  readonly error: unknown;
  readonly done: boolean;
}

export interface Chunk {
  readonly id: string;
  readonly created: number;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: {
      readonly role?: string;
      readonly content?: string;
      readonly reasoning_content?: string;
      readonly tool_calls?: readonly ToolCallDelta[];
    };
    readonly logprobs?: { readonly content: readonly { bytes: number[] }[] } | null;
    readonly finish_reason: string | null;
    readonly stop_reason?: string | null;
  }[];
  readonly usage?: { readonly completion_tokens: number } | null;
}

export interface ToolCallDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
  readonly custom?: { readonly name?: string; readonly input?: string };
}

interface JoinedCall {
  readonly id: string;
  readonly type: string;
  readonly function?: { readonly name: string; readonly arguments: string };
  readonly custom?: { readonly name: string; readonly input: string };
}

/** The calls that pieces join to; each call's first piece has its id and name, and no other has. */
function joinedCalls(pieces: readonly ToolCallDelta[]) {
  const calls: { id: string; type: string; name: string; text: string }[] = [];
  for (const { index, id, type, function: called, custom } of pieces) {
    const { name, text } = called === undefined ? { name: custom?.name, text: custom?.input } : textOf(called);
    if (id !== undefined) {
      const isKnown = type === (called === undefined ? 'custom' : 'function');
      if (index !== calls.length || !isKnown || !name || text !== '') {
        throw new Error(`call ${index} does not begin as OpenAI's do`);
      }
      calls.push({ id, type, name, text });
    } else {
      const call = calls[index];
      const isSame = (call?.type === 'custom') === (custom !== undefined);
      if (call === undefined || !isSame || index !== calls.length - 1 || name !== undefined) {
        throw new Error(`a piece of call ${index} comes at a wrong place`);
      }
      call.text += text;
    }
  }
  return calls.map(
    ({ id, type, name, text }): JoinedCall =>
      type === 'custom'
        ? { id, type, custom: { name, input: text } }
        : { id, type, function: { name, arguments: text } },
  );
}

function textOf({ name, arguments: text }: NonNullable<ToolCallDelta['function']>) {
  return { name, text };
}

/** What the chunks of one choice add up to, in the words of a choice that comes whole. */
export function joined(chunks: readonly Chunk[], index: number) {
  const parts = chunks.flatMap((chunk) => chunk.choices.filter((choice) => choice.index === index));
  const logprobs = parts.flatMap((part) => part.logprobs?.content ?? []);
  const ends = parts.filter((part) => part.finish_reason !== null);
  if (parts[0]?.delta.role !== 'assistant') throw new Error(`choice ${index} does not begin with its role`);
  if (parts.filter((part) => part.delta.role !== undefined).length !== 1) throw new Error('a role came twice');
  if (ends.length !== 1 || parts.at(-1) !== ends[0]) throw new Error(`choice ${index} does not end with one reason`);
  return {
    content: parts.map((part) => part.delta.content ?? '').join(''),
    reasoning: parts.map((part) => part.delta.reasoning_content ?? '').join(''),
    calls: joinedCalls(parts.flatMap((part) => part.delta.tool_calls ?? [])),
    logprobs,
    finishReason: ends[0]?.finish_reason,
    stopReason: ends[0]?.stop_reason,
  };
}
