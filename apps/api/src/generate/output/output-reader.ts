import type { MillraceError } from '#contracts';
import { ContinuedOutput, callIds, type OutputEvent, OutputParser, toolSetOf } from '#models';
import type {
  AlternativeToken,
  AnswerListener,
  AnswerLogprob,
  AnswerTokens,
  AnswerUsage,
  ChoiceEnd,
} from '../answer-listener.ts';
import type { OutputListener, OutputUsage } from './output-listener.ts';
import type { OutputReading } from './output-reading.ts';

interface ReadChoice {
  /** Null where the text is the content as it stands. */
  readonly parser: Pick<OutputParser, 'push' | 'finish' | 'inReasoning'> | null;
  /** Whether it ends with a whole call, in spite of what content came since. */
  called: boolean;
}

const NO_TOKENS: AnswerTokens = { ids: [], logprobs: [] };

/**
 * Takes an answer's text apart into content, reasoning and tool calls, while it arrives. What it tells is a function of
 * the text alone, so an answer that another worker goes on with, in the middle of a call or of reasoning, reads as if
 * nothing had happened.
 */
export class OutputReader implements AnswerListener {
  readonly #listener: OutputListener;
  readonly #choices: readonly ReadChoice[];
  readonly #tellsTokenIds: boolean;
  readonly #namesTokensByIds: boolean;
  /** Tokens of all choices at the last call. */
  #completionTokens = 0;
  #reasoningTokens = 0;

  constructor(reading: OutputReading, listener: OutputListener) {
    this.#listener = listener;
    this.#tellsTokenIds = reading.tellsTokenIds;
    this.#namesTokensByIds = reading.namesTokensByIds;
    this.#choices = Array.from({ length: reading.choices }, (_, choice) => ({
      parser: parserOf(reading, choice),
      called: false,
    }));
  }

  started(): void {
    this.#listener.started();
  }

  text(choice: number, text: string, tokens: AnswerTokens, usage: AnswerUsage): void {
    const read = this.#choices[choice];
    if (read === undefined) return;
    const count = usage.completionTokens - this.#completionTokens;
    this.#completionTokens = usage.completionTokens;
    const wasReasoning = read.parser?.inReasoning ?? false;
    const parts = text === '' ? [] : (read.parser?.push(text) ?? [{ type: 'content' as const, text }]);
    if (wasReasoning || read.parser?.inReasoning) this.#reasoningTokens += count;
    this.#tell(choice, read, parts, this.#toldOf(tokens), usage);
  }

  choiceFinished(choice: number, { reason, stopString }: ChoiceEnd, usage: AnswerUsage): void {
    this.#completionTokens = usage.completionTokens;
    const read = this.#choices[choice];
    if (read === undefined) return;
    this.#tell(choice, read, read.parser?.finish() ?? [], NO_TOKENS, usage);
    const end = { reason: reason === 'stop' && read.called ? ('tool_calls' as const) : reason, stopString };
    this.#listener.choiceFinished(choice, end, this.#usageOf(usage));
  }

  ended(usage: AnswerUsage): void {
    this.#listener.ended(this.#usageOf(usage));
  }

  failed(error: MillraceError): void {
    this.#listener.failed(error);
  }

  #tell(
    choice: number,
    read: ReadChoice,
    parts: readonly OutputEvent[],
    tokens: AnswerTokens,
    usage: AnswerUsage,
  ): void {
    for (const part of parts) if (part.type === 'call-end') read.called = part.complete;
    if (parts.length > 0 || tokens.ids.length > 0 || tokens.logprobs.length > 0) {
      this.#listener.output(choice, parts, tokens, this.#usageOf(usage));
    }
  }

  #toldOf({ ids, logprobs }: AnswerTokens): AnswerTokens {
    if (!this.#tellsTokenIds && logprobs.length === 0) return NO_TOKENS;
    return {
      ids: this.#tellsTokenIds ? ids : [],
      logprobs: this.#namesTokensByIds ? logprobs.map(namedById) : logprobs,
    };
  }

  #usageOf(usage: AnswerUsage): OutputUsage {
    return { ...usage, reasoningTokens: this.#reasoningTokens };
  }
}

/** As vLLM names it. */
function nameOf({ id }: AlternativeToken): string {
  return `token_id:${id}`;
}

function namedById(logprob: AnswerLogprob): AnswerLogprob {
  const top = logprob.top.map((token) => ({ ...token, token: nameOf(token) }));
  return { ...logprob, token: nameOf(logprob), top };
}

function parserOf({ requestId, format, tools, reasoning, begun, wholeCalls, heldTo }: OutputReading, choice: number) {
  const readsWhole = format.readOutput !== undefined;
  if (tools === null && reasoning === 'off' && !readsWhole && !format.dropped) return null;
  const set = tools === null ? null : toolSetOf(tools);
  const options = { format, tools: set, reasoning, wholeCalls, heldTo, callId: callIds(requestId, choice) };
  return begun === '' ? new OutputParser(options) : new ContinuedOutput(options, begun);
}
