import { joinEvents, type OutputEvent } from './output-event.ts';
import { OutputParser, type OutputParserOptions } from './output-parser.ts';

/** Part of no mark, no white space, and nothing that may stand in a call's JSON. */
const ANYTHING = '\u0001';

/** Text of which it takes more to say what it is: white space, the beginning of a mark, a call. */
interface HeldText {
  readonly type: 'content' | 'reasoning';
  readonly text: string;
}

/**
 * Reads an output whose beginning the prompt has already (`begun`), which may end in reasoning, in a mark or in a call, and tells
 * only what comes behind it. A call that began there is told as a whole.
 */
export class ContinuedOutput {
  readonly #parser: OutputParser;
  /** Calls that are whole in what was begun; those of the answer are counted from 0. */
  readonly #earlierCalls: number;
  /** The end of what was begun, while the parser may still tell it with what comes. */
  #held: HeldText | null;

  constructor(options: OutputParserOptions, begun: string) {
    this.#parser = new OutputParser(options);
    this.#earlierCalls = joinEvents(this.#parser.push(begun)).calls.length;
    this.#held = heldText(options, begun);
  }

  get inReasoning(): boolean {
    return this.#parser.inReasoning;
  }

  push(textPiece: string): OutputEvent[] {
    return this.#newOf(this.#parser.push(textPiece));
  }

  finish(): OutputEvent[] {
    return this.#newOf(this.#parser.finish());
  }

  #newOf(events: readonly OutputEvent[]): OutputEvent[] {
    return events.map((event) => this.#withoutHeld(event)).filter((event) => !('text' in event) || event.text !== '');
  }

  #withoutHeld(event: OutputEvent): OutputEvent {
    if (event.type !== 'content' && event.type !== 'reasoning') {
      this.#held = null;
      return { ...event, index: event.index - this.#earlierCalls };
    }
    const held = this.#held;
    const { text } = event;
    // Where it is not the held text that comes, that has turned out to be a mark.
    const isHeld = event.type === held?.type && (text.startsWith(held.text) || held.text.startsWith(text));
    if (held === null || !isHeld) {
      this.#held = null;
      return event;
    }
    const rest = held.text.slice(text.length);
    this.#held = rest === '' ? null : { ...held, text: rest };
    return { ...event, text: text.slice(held.text.length) };
  }
}

/** Where an output stands behind what was begun of it. */
export interface OutputStanding {
  /** `closed`: no reasoning comes any more. */
  readonly reasoning: 'marked' | 'opened' | 'closed';
  /** It ends in the middle of a mark or of a call. */
  readonly isCut: boolean;
}

export function standingBehind(options: OutputParserOptions, begun: string): OutputStanding {
  const parser = new OutputParser(options);
  parser.push(begun);
  const undecided = begun.trim() === '' ? 'marked' : 'closed';
  return {
    reasoning: parser.inReasoning ? 'opened' : undecided,
    isCut: (heldText(options, begun)?.text ?? '').trim() !== '',
  };
}

function heldText(options: OutputParserOptions, begun: string): HeldText | null {
  const parser = new OutputParser(options);
  parser.push(begun);
  const { content, reasoning } = joinEvents([...parser.push(ANYTHING), ...parser.finish()]);
  for (const [type, told] of [['content', content] as const, ['reasoning', reasoning] as const]) {
    if (told.endsWith(ANYTHING)) return told === ANYTHING ? null : { type, text: told.slice(0, -ANYTHING.length) };
  }
  return null;
}
