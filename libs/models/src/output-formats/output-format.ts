import type { CallSink } from './call-sink.ts';
import type { Reading, TextSource } from './text-source.ts';

/** What a reader of calls works with. */
export interface CallReading {
  readonly source: TextSource;
  readonly sink: CallSink;
  /** The opening that was found and consumed; '' for a bare start, whose first character is not consumed. */
  readonly opening: string;
}

/**
 * How a family of models writes tool calls and reasoning. A format is data and one reader; it decides nothing about the
 * request.
 */
export interface OutputFormat {
  /** Its name in configuration and in the table of `choose-format.ts`. */
  readonly name: string;
  /** Texts that begin a call or a list of calls. */
  readonly openings: readonly string[];
  /** Texts around calls that mean nothing by themselves; content when no call is beside them. */
  readonly surroundings: readonly string[];
  /** Whether blanks between content and a call belong to neither, as line breaks do. */
  readonly dropsSpace?: true;
  /** Texts inside calls by which the reader goes. */
  readonly innerMarks?: readonly string[];
  /** Texts that stand around content and mean nothing. */
  readonly dropped?: readonly string[];
  /** First characters of calls that stand without an opening; looked for only where the content begins. */
  readonly bareStarts?: string;
  /** Opening and end of the reasoning block; looked for only where the output begins. */
  readonly reasoning?: {
    readonly open: string;
    readonly close: string;
    /** Further texts that open the block, as some models write them; they may come before `open`, too. */
    readonly alsoOpenedBy?: readonly string[];
    /** Further texts that end the block, and stay. */
    readonly endedBy?: readonly string[];
    /** The same, where no end of the block follows: what comes behind one waits until that is known. */
    readonly brokenBy?: readonly string[];
    /** Blocks with nothing in them, which may come again behind the first one and mean nothing. */
    readonly empty?: readonly string[];
    /** Whether templates put the marks together out of parts, so that none of them shows one. */
    readonly isBuilt?: true;
    /** Marks around the content that follows a block at once; they mean nothing there. */
    readonly wrapper?: { readonly open: string; readonly close: string };
  };
  /**
   * Reads the calls behind an opening. @throws MalformedCall, after which everything since the last complete call (or since the
   * last argument piece that was delivered) is content
   */
  readCalls(reading: CallReading): Reading;
  /** Reads a whole output by rules of its own, in place of the common ones. */
  readOutput?(reading: CallReading): Reading;
}

/** The reasoning block that most families use. */
export const THINK = Object.freeze({ open: '<think>', close: '</think>' });
