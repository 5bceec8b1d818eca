import { CustomInput } from './custom-input.ts';
import { MalformedCall } from './malformed-call.ts';
import type { OutputEvent } from './output-event.ts';
import type { TextSource } from './text-source.ts';
import type { ToolSet } from './tool-set.ts';

export interface CallSinkOptions {
  readonly source: TextSource;
  readonly tools: ToolSet;
  /** Gives the id of the call with this index; deterministic, so that an attempt that is repeated gives the same. */
  readonly callId: (index: number) => string;
  /** Calls are delivered only when they are whole (see OutputParserOptions). */
  readonly wholeCalls: boolean;
  /** See OutputFormat. */
  readonly dropsSpace: boolean;
  /** See OutputParserOptions. */
  readonly heldTo: 'calls' | 'text and calls' | undefined;
}

/** What is content only if no call follows: white space, then surroundings and what stands between them. */
interface Pending {
  space: string;
  rest: string;
  readonly marks: string[];
}

/** Collects what the readers find as events, neighbours of one kind joined. */
export class CallSink {
  readonly tools: ToolSet;
  readonly #options: CallSinkOptions;
  #events: OutputEvent[] = [];
  /** The open call's events, kept back while `wholeCalls` waits for its end. */
  #callEvents: OutputEvent[] = [];
  #open: number | null = null;
  /** Of the open call, where its tool is a custom one. */
  #input: CustomInput | null = null;
  #callCount = 0;
  #pending: Pending = { space: '', rest: '', marks: [] };
  #contentSinceCall = false;
  #hasContent = false;
  /** Surroundings that have stood before a call: those behind the last call that have not end it, and are no content. */
  readonly #openers = new Set<string>();
  /** Whether what arrives now is reasoning; readers set it. */
  inReasoning = false;

  constructor(options: CallSinkOptions) {
    this.#options = options;
    this.tools = options.tools;
  }

  takeEvents(): OutputEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  content(text: string): void {
    const waited = this.#pending.space + this.#pending.rest;
    // Line breaks between calls and the content that begins behind them separate them.
    const isFirst = this.#callCount > 0 && !this.#hasContent;
    const whole = isFirst ? (waited + text).replace(/^\s*\n\s*/, '') : waited + text;
    this.#pending = { space: '', rest: '', marks: [] };
    const { heldTo } = this.#options;
    if (whole === '' || heldTo === 'calls' || (heldTo !== undefined && this.#callCount > 0)) return;
    this.#contentSinceCall = true;
    this.#hasContent = true;
    push(this.#events, { type: 'content', text: whole });
  }

  reasoning(text: string): void {
    if (text !== '') push(this.#events, { type: 'reasoning', text });
  }

  pendingSpace(space: string): void {
    if (this.#pending.rest === '') this.#pending.space += space;
    else this.#pending.rest += space;
  }

  pendingSurrounding(text: string): void {
    const isEndOfCall = this.#callCount > 0 && !this.#contentSinceCall && !this.#openers.has(text);
    if (isEndOfCall && this.#pending.marks.length === 0) {
      this.#pending.space = '';
      return;
    }
    this.#pending.rest += text;
    this.#pending.marks.push(text);
  }

  /**
   * Begins a call. Line breaks between the content and the call separate them and are dropped; blanks belong to the content.
   * @throws MalformedCall for a name that is no tool's
   */
  startCall(name: string): void {
    if (!this.tools.accepts(name)) throw new MalformedCall(`${name} is no tool`);
    const { space, marks } = this.#pending;
    for (const mark of marks) this.#openers.add(mark);
    this.#open = this.#callCount++;
    const isCustom = this.tools.isCustom(name);
    this.#input = isCustom ? new CustomInput() : null;
    const id = this.#options.callId(this.#open);
    this.#callEvents.push({ type: 'call-start', index: this.#open, id, name, ...(isCustom && { isCustom }) });
    if (!this.#options.wholeCalls) {
      this.#pending = { space: '', rest: '', marks: [] };
      this.#keepSpace(space);
      this.#deliver();
    }
  }

  argumentText(text: string): void {
    this.#told(this.#input === null ? 'call-arguments' : 'call-input', this.#input?.push(text) ?? text);
  }

  #told(type: 'call-arguments' | 'call-input', text: string): void {
    if (this.#open === null || text === '') return;
    push(this.#callEvents, { type, index: this.#open, text });
    if (!this.#options.wholeCalls) this.#deliver();
  }

  endCall(): void {
    if (this.#open === null) return;
    if (this.#input !== null) this.#told('call-input', this.#input.end());
    this.#callEvents.push({ type: 'call-end', index: this.#open, complete: true });
    if (this.#options.wholeCalls) {
      const { space } = this.#pending;
      this.#pending = { space: '', rest: '', marks: [] };
      this.#keepSpace(space);
    }
    this.#deliver();
    this.#open = null;
    this.#contentSinceCall = false;
  }

  /** What was being read is no call, or no longer one: the held text becomes content. */
  abandonCall(): void {
    const { heldText } = this.#options.source;
    if (this.#open !== null && this.#options.wholeCalls) {
      this.#callCount--;
    } else if (this.#open !== null) {
      this.#callEvents.push({ type: 'call-end', index: this.#open, complete: false });
      this.#deliver();
      this.#contentSinceCall = false;
    }
    this.#open = null;
    this.#callEvents = [];
    if (this.#options.heldTo === undefined) this.content(heldText);
    else this.#pending = { space: '', rest: '', marks: [] };
    this.#options.source.hold();
  }

  /** The output is over: what waits is content, unless it only surrounded calls. */
  finish(): void {
    if (this.#callCount === 0 || this.#contentSinceCall) this.content('');
    this.#pending = { space: '', rest: '', marks: [] };
  }

  /** Blanks between content and a call. */
  #keepSpace(space: string): void {
    if (this.#contentSinceCall && !space.includes('\n') && !this.#options.dropsSpace) this.content(space);
  }

  #deliver(): void {
    for (const event of this.#callEvents) push(this.#events, event);
    this.#callEvents = [];
    this.#options.source.hold();
  }
}

/** Appends an event; text of the kind that came last is joined with it. */
function push(events: OutputEvent[], event: OutputEvent): void {
  const last = events.at(-1);
  if (last && 'text' in event && 'text' in last && last.type === event.type) {
    events[events.length - 1] = { ...last, text: last.text + event.text };
  } else {
    events.push(event);
  }
}
