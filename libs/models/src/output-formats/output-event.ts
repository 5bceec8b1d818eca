/**
 * What an output parser tells while a model's text arrives. Joined `content`, `reasoning` and `text` pieces are the final
 * answer; the `text` pieces of one call join to exactly its arguments, a JSON object.
 */
export type OutputEvent =
  | { readonly type: 'content'; readonly text: string }
  | { readonly type: 'reasoning'; readonly text: string }
  /** Comes before the call's arguments; `index` counts the calls of this answer from 0. */
  | { readonly type: 'call-start'; readonly index: number; readonly id: string; readonly name: string }
  | { readonly type: 'call-arguments'; readonly index: number; readonly text: string }
  /** `complete` is false when the output ended or broke inside the arguments, whose pieces then join to no JSON. */
  | { readonly type: 'call-end'; readonly index: number; readonly complete: boolean };

/** A finished tool call, with its arguments as JSON text. */
export interface ParsedCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
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
  const calls: { id: string; name: string; arguments: string; complete: boolean }[] = [];
  for (const event of events) {
    const call = 'index' in event ? calls[event.index] : undefined;
    if (event.type === 'content') content += event.text;
    else if (event.type === 'reasoning') reasoning += event.text;
    else if (event.type === 'call-start')
      calls.push({ id: event.id, name: event.name, arguments: '', complete: false });
    else if (call && event.type === 'call-arguments') call.arguments += event.text;
    else if (call && event.type === 'call-end') call.complete = event.complete;
  }
  return { content, reasoning, calls };
}
