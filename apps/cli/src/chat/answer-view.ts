import type { AnswerPart } from './answer-part.ts';
import { shown, type TerminalStyle } from './terminal-style.ts';

export interface AnswerViewOptions {
  readonly style: TerminalStyle;
  readonly write: (text: string) => void;
  /** Milliseconds of a clock that does not jump. */
  readonly now: () => number;
}

/** Tokens that came within less say how they were carried, not how quickly they were made. */
const SHORTEST_MS = 20;

/** Shows an answer in a terminal as it comes: where it waits, what the model thinks, what it says, and what it took. */
export class AnswerView {
  readonly #style: TerminalStyle;
  readonly #write: (text: string) => void;
  readonly #now: () => number;
  readonly #beganMs: number;
  #firstMs: number | null = null;
  #lastMs = 0;
  #waiting = false;
  #reasoning = false;
  #content = '';
  #finishReason = '';
  #usage: Extract<AnswerPart, { kind: 'usage' }> | null = null;
  /** What was written last, to know whether the cursor stands at a line's start. */
  #tail = '\n';

  constructor({ style, write, now }: AnswerViewOptions) {
    this.#style = style;
    this.#write = write;
    this.#now = now;
    this.#beganMs = now();
  }

  /** As much of the answer as came, without reasoning, as the model wrote it. */
  get content(): string {
    return this.#content;
  }

  show(part: AnswerPart): void {
    if (part.kind === 'queued') this.#wait(queuedText(part));
    else if (part.kind === 'prefill') this.#wait('reading …');
    else if (part.kind === 'reasoning') this.#showReasoning(part.text);
    else if (part.kind === 'content') this.#showContent(part.text);
    else if (part.kind === 'finish') this.#finishReason = part.reason;
    else this.#usage = part;
  }

  /** @param remark why there is no more, where it is not whole */
  end(remark: string | null): void {
    this.#stopWaiting();
    if (!this.#tail.endsWith('\n')) this.#put('\n');
    const facts = [...this.#facts(), ...(remark === null ? [] : [remark])];
    if (facts.length > 0) this.#write(`${this.#style.dim(facts.join(', '))}\n`);
  }

  #showReasoning(text: string): void {
    this.#noteToken();
    this.#reasoning = true;
    this.#put(text, (plain) => this.#style.dim(plain));
  }

  #showContent(text: string): void {
    this.#noteToken();
    if (this.#reasoning) this.#put(this.#tail.endsWith('\n') ? '\n' : '\n\n');
    this.#reasoning = false;
    this.#content += text;
    this.#put(text);
  }

  #noteToken(): void {
    this.#lastMs = this.#now() - this.#beganMs;
    this.#firstMs ??= this.#lastMs;
  }

  #wait(text: string): void {
    if (this.#style.eraseLine === '' || this.#firstMs !== null) return;
    this.#waiting = true;
    this.#write(`${this.#style.eraseLine}${this.#style.dim(text)}`);
  }

  #stopWaiting(): void {
    if (this.#waiting) this.#write(this.#style.eraseLine);
    this.#waiting = false;
  }

  #put(text: string, styled = (plain: string) => plain): void {
    this.#stopWaiting();
    const clean = shown(text);
    if (clean === '') return;
    this.#tail = clean;
    this.#write(styled(clean));
  }

  #facts(): string[] {
    const facts: string[] = [];
    const usage = this.#usage;
    if (usage !== null) facts.push(`${usage.promptTokens} + ${usage.completionTokens} tokens`);
    if (usage?.cachedTokens) facts.push(`${usage.cachedTokens} cached`);
    if (this.#firstMs !== null) facts.push(`first after ${Math.round(this.#firstMs)} ms`);
    const decodeMs = this.#lastMs - (this.#firstMs ?? 0);
    // The first token is what the rest is counted from.
    if (usage !== null && usage.completionTokens > 1 && decodeMs >= SHORTEST_MS) {
      facts.push(`${(((usage.completionTokens - 1) / decodeMs) * 1_000).toFixed(1)} tokens/s`);
    }
    if (this.#finishReason === 'length') facts.push('cut off: no more tokens allowed, or no more context');
    return facts;
  }
}

function queuedText({ position, waitMs }: Extract<AnswerPart, { kind: 'queued' }>): string {
  const place = position === null ? '' : `, number ${position} in line`;
  const wait = waitMs === null ? '' : `, about ${(waitMs / 1_000).toFixed(1)} s`;
  return `queued${place}${wait} …`;
}
