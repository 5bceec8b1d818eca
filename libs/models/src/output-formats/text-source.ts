import { MalformedCall } from './malformed-call.ts';

/** A reader of text that is still arriving: it yields whenever it needs more than has come. */
export type Reading<Result = void> = Generator<void, Result, void>;

/**
 * The model's text as the readers see it: one character after another, however it was cut into pieces. Readers are
 * generators, so that each is plain sequential code; as they decide by single characters and by markers alone, the
 * pieces' borders can't change what they find.
 */
export class TextSource {
  #text = '';
  #position = 0;
  #heldFrom = 0;
  #ended = false;

  append(piece: string): void {
    const keepFrom = Math.min(this.#heldFrom, this.#position);
    this.#text = this.#text.slice(keepFrom) + piece;
    this.#position -= keepFrom;
    this.#heldFrom -= keepFrom;
  }

  end(): void {
    this.#ended = true;
  }

  /** The next UTF-16 unit, not consumed; '' at the end of the output. */
  *peek(): Reading<string> {
    while (this.#position >= this.#text.length) {
      if (this.#ended) return '';
      yield;
    }
    return this.#text.charAt(this.#position);
  }

  /** Consumes the next unit. @throws MalformedCall at the end of the output */
  *take(): Reading<string> {
    const unit = yield* this.peek();
    if (unit === '') throw new MalformedCall('the output ends inside a call');
    this.#position++;
    return unit;
  }

  /** Consumes the next character: a unit, or both halves of a pair. @throws MalformedCall at the end of the output */
  *takeCharacter(): Reading<string> {
    const unit = yield* this.take();
    if (unit < '\ud800' || unit >= '\udc00') return unit;
    const low = yield* this.peek();
    return low >= '\udc00' && low < '\ue000' ? unit + (yield* this.take()) : unit;
  }

  /** The longest of the markers that stands here, not consumed, or null. Waits while a longer one may still come. */
  *match(markers: readonly string[]): Reading<string | null> {
    for (;;) {
      const rest = this.#text.length - this.#position;
      const undecided = markers.some(
        (marker) => marker.length > rest && marker.startsWith(this.#text.slice(this.#position)),
      );
      if (!undecided || this.#ended) {
        const found = markers.filter((marker) => this.#text.startsWith(marker, this.#position));
        return found.reduce<string | null>((a, b) => (a !== null && a.length >= b.length ? a : b), null);
      }
      yield;
    }
  }

  /** Consumes one of the markers when it stands here. */
  *skip(...markers: readonly string[]): Reading<string | null> {
    const marker = yield* this.match(markers);
    this.advance(marker?.length ?? 0);
    return marker;
  }

  /** Consumes one of the markers. @throws MalformedCall when none stands here */
  *expect(...markers: readonly string[]): Reading<string> {
    const marker = yield* this.skip(...markers);
    if (marker === null) throw new MalformedCall(`expected ${markers.join(' or ')}`);
    return marker;
  }

  *skipSpace(): Reading<string> {
    let space = '';
    for (let unit = yield* this.peek(); isSpace(unit); unit = yield* this.peek()) {
      space += unit;
      this.advance(1);
    }
    return space;
  }

  /** Consumes text up to one of the markers, which stays. @throws MalformedCall past `maxLength` or at the end */
  *takeUntil(markers: readonly string[], maxLength: number): Reading<string> {
    let text = '';
    while ((yield* this.match(markers)) === null) {
      text += yield* this.take();
      if (text.length > maxLength) throw new MalformedCall(`no ${markers.join(' or ')} within ${maxLength} characters`);
    }
    return text;
  }

  /** Whether a marker stands anywhere in the rest of the output; waits until it comes, or to the end. */
  *holds(marker: string): Reading<boolean> {
    let searched = 0;
    for (;;) {
      if (this.#text.includes(marker, this.#position + searched)) return true;
      if (this.#ended) return false;
      searched = Math.max(0, this.#text.length - this.#position - marker.length);
      yield;
    }
  }

  advance(units: number): void {
    this.#position += units;
  }

  /** From here on text is kept, so that it can become content if it turns out to be no call. */
  hold(): void {
    this.#heldFrom = this.#position;
  }

  /** The text consumed since `hold`. */
  get heldText(): string {
    return this.#text.slice(this.#heldFrom, this.#position);
  }
}

/** White space of JSON and of markup. */
export function isSpace(unit: string): boolean {
  return unit === ' ' || unit === '\n' || unit === '\r' || unit === '\t';
}
