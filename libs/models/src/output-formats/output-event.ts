/**
 * What an output parser tells while a model's text arrives. Joined `content`, `reasoning` and `text` pieces are the final
 * answer; the `text` pieces of one call join to exactly its arguments, a JSON object, or to the text that a custom tool takes.
 */
export type OutputEvent =
  | { readonly type: 'content'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  /** Comes before the call's arguments; `index` counts the calls of this answer from 0. */
  | {
      readonly type: 'call-start';
      readonly index: number;
      readonly id: string;
      readonly name: string;
      /** What follows is `call-input`; else it is `call-arguments`. */
      readonly isCustom?: true;
    }
  | { readonly type: 'call-arguments' | 'call-input'; readonly index: number; readonly text: string }
  /** `complete` is false when the output ended or broke inside the arguments, whose pieces then join to no JSON. */
  | { readonly type: 'call-end'; readonly index: number; readonly complete: boolean };

/** A finished tool call. */
export interface ParsedCall {
  readonly id: string;
  readonly name: string;
  /** JSON text; the input of a custom tool's call. */
  readonly arguments: string;
  readonly isCustom?: true;
  readonly complete: boolean;
}

/** An answer taken apart. */
export interface ParsedOutput {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly ParsedCall[];
}

/** Joins events to the answer that a client who does not stream gets. */
export function joinEvents(events: Iterable<OutputEvent>): ParsedOutput {
  let content = '';
  let reasoning = '';
  const calls: { id: string; name: string; arguments: string; isCustom?: true; complete: boolean }[] = [];
  for (const event of events) {
    const call = 'index' in event ? calls[event.index] : undefined;
    if (event.type === 'content') content += event.text;
    else if (event.type === 'reasoning') reasoning += event.text;
    else if (event.type === 'call-start') {
      const { id, name, isCustom } = event;
      calls.push({ id, name, arguments: '', ...(isCustom && { isCustom }), complete: false });
    } else if (call && event.type === 'call-end') call.complete = event.complete;
    else if (call && event.type !== 'call-end') call.arguments += event.text;
  }
  return { content, reasoning, calls };
}
