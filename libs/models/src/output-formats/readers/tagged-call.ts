import type { CallReading } from '../output-format.ts';
import { isSpace, type Reading, type TextSource } from '../text-source.ts';
import { excludesStrings, isStringSchema } from '../tool-set.ts';
import { isJson } from './json-reader.ts';

const MAX_NAME_LENGTH = 256;

/** The marks of a call whose arguments are tagged texts, in the order in which they come. */
export interface CallTags {
  /** Behind the call's name. Where a call without arguments ends at once, `close` counts too. */
  readonly nameEnd: readonly string[];
  /** What ends the call's head, where further attributes may follow the name. */
  readonly headEnd?: string;
  /** Before an argument's name. */
  readonly argumentOpen: string;
  /** Between an argument's name and its text; one that says what the text is has a type. */
  readonly argumentNameEnd: readonly { readonly text: string; readonly type?: 'string' | 'json' }[];
  /** Other text that must follow there, white space apart. */
  readonly valueOpen?: string;
  readonly argumentClose: string;
  /** Whether texts stand beside their tags: a line break at the end is the tag's only where there is one at the beginning. */
  readonly isInline?: true;
  /** Whether line breaks at either end of a text belong to it. */
  readonly isExact?: true;
  /** Texts before which an argument ends whose end mark was forgotten; they stay. */
  readonly argumentEnds?: readonly string[];
  /** Marks around a text that may hold all others; it is a string unless the schema says otherwise. */
  readonly quote?: { readonly open: string; readonly close: string };
  readonly close: string;
}

/**
 * A call whose arguments are texts between tags. An argument that can only be a string is taken as it stands, without the
 * line break at either end, and delivered as it comes; any other is taken as JSON where it is JSON, else as a string.
 * The arguments' JSON text is made here. @throws MalformedCall
 */
export function* readTaggedCall({ source, sink }: CallReading, tags: CallTags): Reading {
  const nameEnds = [...tags.nameEnd, tags.argumentOpen, tags.close, '<'];
  const name = (yield* source.takeUntil(nameEnds, MAX_NAME_LENGTH)).trim();
  const ended = yield* source.skip(...tags.nameEnd);
  if (tags.headEnd !== undefined && ended !== null) {
    // Another mark before it: the head is damaged, and what follows is no part of it.
    yield* source.takeUntil([tags.headEnd, '<'], MAX_NAME_LENGTH);
    yield* source.expect(tags.headEnd);
  }
  yield* source.skipSpace();
  const first = yield* source.expect(tags.argumentOpen, tags.close);
  sink.startCall(name);
  let separator = '{';
  for (let mark = first; mark !== tags.close; mark = yield* source.expect(tags.argumentOpen, tags.close)) {
    const ends = tags.argumentNameEnd.map(({ text }) => text);
    const argument = (yield* source.takeUntil(ends, MAX_NAME_LENGTH)).trim();
    const end = yield* source.expect(...ends);
    if (tags.valueOpen !== undefined) {
      yield* source.skipSpace();
      yield* source.expect(tags.valueOpen);
    }
    const isQuoted = tags.quote !== undefined && (yield* source.skip(tags.quote.open)) !== null;
    const close = (isQuoted ? tags.quote?.close : '') + tags.argumentClose;
    const schema = sink.tools.argumentSchema(name, argument);
    const known = tags.argumentNameEnd.find(({ text }) => text === end)?.type;
    const isString =
      known === undefined
        ? isStringSchema(schema) || (isQuoted && schema === undefined)
        : known === 'string' && !excludesStrings(schema);
    const readArgument = (pieces: (text: string) => void) =>
      isQuoted || tags.isExact ? readExact(source, close, pieces) : readText(source, tags, pieces);
    const prefix = `${separator}${JSON.stringify(argument)}:`;
    if (isString) {
      sink.argumentText(`${prefix}"`);
      yield* readArgument((text) => sink.argumentText(JSON.stringify(text).slice(1, -1)));
      sink.argumentText('"');
    } else {
      let text = '';
      yield* readArgument((piece) => {
        text += piece;
      });
      sink.argumentText(prefix + (isJson(text) ? text.trim() : JSON.stringify(text)));
    }
    yield* source.skipSpace();
    separator = ',';
  }
  sink.argumentText(separator === '{' ? '{}' : '}');
  sink.endCall();
}

/** Gives the text up to `close`, which it consumes, as it stands. */
function* readExact(source: TextSource, close: string, pieces: (text: string) => void): Reading {
  while ((yield* source.skip(close)) === null) pieces(yield* source.takeCharacter());
}

/** Gives an argument's text, whose end mark it consumes, without the line break at the beginning and the one at the end. */
function* readText(source: TextSource, tags: CallTags, pieces: (text: string) => void): Reading {
  const { argumentClose, argumentEnds = [], isInline = false } = tags;
  const isOnLines = (yield* source.skip('\r\n', '\n')) !== null;
  let lineBreak = '';
  for (;;) {
    if ((yield* source.skip(argumentClose)) !== null || (yield* source.match(argumentEnds)) !== null) {
      if (isInline && !isOnLines) pieces(lineBreak);
      return;
    }
    const unit = yield* source.takeCharacter();
    if (unit === '\n') {
      pieces(lineBreak);
      lineBreak = unit;
    } else if (unit === '\r' && isSpace((yield* source.peek()) || 'x')) {
      pieces(lineBreak);
      lineBreak = '';
      if ((yield* source.skip('\n')) !== null) lineBreak = '\r\n';
      else pieces(unit);
    } else {
      pieces(lineBreak + unit);
      lineBreak = '';
    }
  }
}
