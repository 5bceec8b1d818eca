import type { Spelling } from '../spelling.ts';

/**
 * Text in which some characters stand for what may be left out or may vary: `␤` for a line break, `␠` for a space, `␣` for
 * an indent of four, `№` for a number.
 */
export type LooseText = string;

/** How one call is written. */
export type CallShape =
  /** A JSON object with the name first and the arguments behind it. */
  | { readonly kind: 'object'; readonly name: string; readonly arguments: string; readonly before?: LooseText }
  /** The name in a head, then the arguments as an object. */
  | { readonly kind: 'named'; readonly head: (name: string) => LooseText; readonly tail: LooseText }
  /** `f(a=1, b="x")`. */
  | { readonly kind: 'pythonic' }
  /** The arguments as tagged texts. */
  | {
      readonly kind: 'tagged';
      readonly head: (name: string) => LooseText;
      readonly tail: LooseText;
      readonly tags: ArgumentTags;
    };

/** How tagged arguments are written; see `readTaggedCall`, which reads them. */
export interface ArgumentTags {
  readonly open: string;
  /** Between name and text, of strings that are written as they are. */
  readonly rawNameEnd: LooseText;
  /** Between name and text, of JSON; any of several. */
  readonly jsonNameEnd: LooseText | readonly LooseText[];
  readonly close: string;
  /** Whether the name comes again behind `close`: `</name>`. */
  readonly closesByName?: true;
  /** What no text may hold beside `close`: an argument ends there too. */
  readonly alsoEndedBy?: readonly string[];
  /** What no text may begin with: it would be read as the beginning of a quoted one. */
  readonly quoteOpen?: string;
  /** Whether the text stands on lines of its own. */
  readonly lines: boolean;
}

/** Calls as they follow one another. */
export interface CallList {
  /** What begins the list, wherever it stands. Empty where the call itself begins with a mark, or nothing does. */
  readonly mark: string;
  /** Nothing shows that it is a call: it can only be all of the content. */
  readonly bare?: true;
  readonly open: LooseText;
  readonly call: CallShape;
  readonly separator: LooseText;
  readonly close: LooseText;
}

/** How a family writes calls: any of the lists. */
export interface CallStyle {
  readonly spelling: Spelling;
  readonly lists: readonly CallList[];
}
