import { CallSink } from './call-sink.ts';
import { MalformedCall } from './malformed-call.ts';
import type { OutputEvent } from './output-event.ts';
import type { OutputFormat } from './output-format.ts';
import { isSpace, type Reading, TextSource } from './text-source.ts';
import { type ToolSet, toolSetOf } from './tool-set.ts';

export interface OutputParserOptions {
  readonly format: OutputFormat;
  /** The calls to look for; null when the request allows none: then nothing in the text is a call. */
  readonly tools: ToolSet | null;
  /**
   * `marked`: the model may open a reasoning block itself; `opened`: the prompt ended inside one (see
   * `reasoningStart`); `off`: reasoning stays in the content.
   */
  readonly reasoning: 'marked' | 'opened' | 'off';
  readonly callId: (index: number) => string;
  /**
   * False (default): arguments are delivered as they arrive; a call that breaks in the middle is ended incomplete and its rest is
   * content. True: a call is delivered when its arguments are a whole JSON object, and one that breaks is content from
   * its first character on.
   */
  readonly wholeCalls?: boolean;
  /**
   * What a token mask holds the output to: calls, behind reasoning; or either text or calls, or text and then calls. Then an
   * output can only be cut, never broken: what is left of a call whose head or end mark was cut is no content.
   */
  readonly heldTo?: 'calls' | 'text and calls' | undefined;
}

/**
 * Takes a model's text apart, as it arrives, into content, reasoning and tool calls. Never throws and loses no text:
 * what is no valid call is content. Only text that may still be part of a marker or of a call's head is held back, and
 * white space that may turn out to stand before a call.
 */
export class OutputParser {
  readonly #source = new TextSource();
  readonly #sink: CallSink;
  readonly #reading: Reading;
  #finished = false;

  constructor(options: OutputParserOptions) {
    const { tools, callId, wholeCalls = false, heldTo } = options;
    this.#sink = new CallSink({
      source: this.#source,
      tools: tools ?? toolSetOf([]),
      callId,
      wholeCalls,
      dropsSpace: options.format.dropsSpace ?? false,
      heldTo,
    });
    this.#sink.inReasoning = options.reasoning === 'opened' && options.format.reasoning !== undefined;
    this.#reading = readOutput(options, this.#source, this.#sink);
  }

  /** Whether the text goes on inside a reasoning block, so that its tokens can be counted. */
  get inReasoning(): boolean {
    return this.#sink.inReasoning;
  }

  /** What can be told after this piece; pieces may be cut anywhere. */
  push(textPiece: string): OutputEvent[] {
    this.#source.append(textPiece);
    this.#reading.next();
    return this.#sink.takeEvents();
  }

  /** The output is over: the rest. */
  finish(): OutputEvent[] {
    if (this.#finished) return [];
    this.#finished = true;
    this.#source.end();
    this.#reading.next();
    this.#sink.finish();
    return this.#sink.takeEvents();
  }
}

/** Whether a prompt ends inside a reasoning block that the template opened, so that the answer begins with reasoning. */
export function reasoningStart(promptText: string, format: OutputFormat): 'marked' | 'opened' {
  const open = format.reasoning?.open;
  return open !== undefined && promptText.trimEnd().endsWith(open) ? 'opened' : 'marked';
}

function* readOutput(options: OutputParserOptions, source: TextSource, sink: CallSink): Reading {
  const { format, reasoning } = options;
  if (format.readOutput) {
    yield* format.readOutput({ source, sink, opening: '' });
    return;
  }
  const dropped = [...(format.dropped ?? [])];
  if (format.reasoning && reasoning !== 'off') {
    const { empty = [], wrapper } = format.reasoning;
    dropped.push(...empty);
    const hasBlock = yield* readReasoning(format.reasoning, reasoning === 'opened', source, sink);
    if (hasBlock && wrapper !== undefined && (yield* source.skip(wrapper.open)) !== null) {
      yield* source.skipSpace();
      source.hold();
      dropped.push(wrapper.close);
    }
  }
  if (options.tools) yield* readContent(format, dropped, source, sink);
  else yield* readPlainText(dropped, source, sink);
}

/** Whether a whole block was read. White space at its borders belongs to neither the reasoning nor the content. */
function* readReasoning(
  block: NonNullable<OutputFormat['reasoning']>,
  opened: boolean,
  source: TextSource,
  sink: CallSink,
): Reading<boolean> {
  const space = yield* source.skipSpace();
  const { alsoOpenedBy = [] } = block;
  const found = yield* source.skip(block.open, ...alsoOpenedBy);
  if (found === null && !opened) {
    sink.pendingSpace(space);
    return false;
  }
  if (found !== null && alsoOpenedBy.includes(found)) yield* source.skip(block.open);
  sink.inReasoning = true;
  yield* source.skipSpace();
  let trailing = '';
  for (;;) {
    source.hold();
    const unit = yield* source.peek();
    if (unit === '') return false;
    if ((yield* source.skip(block.close)) !== null || (yield* source.match(block.endedBy ?? [])) !== null) break;
    if ((yield* source.match(block.brokenBy ?? [])) !== null && !(yield* source.holds(block.close))) break;
    source.advance(1);
    if (isSpace(unit)) {
      trailing += unit;
    } else {
      sink.reasoning(trailing + unit);
      trailing = '';
    }
  }
  sink.inReasoning = false;
  yield* source.skipSpace();
  return true;
}

function* readPlainText(dropped: readonly string[], source: TextSource, sink: CallSink): Reading {
  for (let unit = yield* source.peek(); unit !== ''; unit = yield* source.peek()) {
    if (dropped.length === 0 || (yield* source.skip(...dropped)) === null) {
      sink.content(unit);
      source.advance(1);
    }
    source.hold();
  }
}

function* readContent(format: OutputFormat, dropped: readonly string[], source: TextSource, sink: CallSink): Reading {
  const { openings, surroundings } = format;
  const markers = [...openings, ...surroundings, ...dropped];
  let atStart = true;
  for (let unit = yield* source.peek(); unit !== ''; unit = yield* source.peek()) {
    source.hold();
    const marker = yield* source.match(markers);
    const bare = atStart && marker === null && (format.bareStarts ?? '').includes(unit);
    if (marker === null && isSpace(unit)) {
      source.advance(1);
      sink.pendingSpace(unit);
    } else if (marker !== null && dropped.includes(marker)) {
      source.advance(marker.length);
    } else if (marker !== null && surroundings.includes(marker)) {
      source.advance(marker.length);
      sink.pendingSurrounding(marker);
    } else if (marker !== null || bare) {
      atStart = false;
      source.advance(marker?.length ?? 0);
      try {
        yield* format.readCalls({ source, sink, opening: marker ?? '' });
      } catch (error) {
        if (!(error instanceof MalformedCall)) throw error;
        sink.abandonCall();
      }
    } else {
      atStart = false;
      source.advance(1);
      sink.content(unit);
    }
  }
}
