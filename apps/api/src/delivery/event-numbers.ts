import { MillraceError } from '#contracts';

/** Of what an event is: a choice, or the answer as a whole. */
export type EventOf = number | 'answer';

export interface NumberedEvent {
  readonly id: string;
  readonly event: unknown;
}

/**
 * Numbers the events of one stream, so that a client that lost its connection can say what it has. An id says how many events
 * of each choice, and at last of the whole answer, were sent up to it: `12.9.0` for two choices. Choices are counted apart,
 * since which of them comes first is another matter each time an answer is told; of each, the events are the same.
 */
export class EventNumbers {
  /** Events made of each choice; the last is the answer's own. */
  readonly #made: number[];
  /** Events that the client has of each. */
  readonly #has: readonly number[];

  /**
   * @param lastEventId of the last event that the client has; null for none
   * @throws MillraceError invalid_request when it is of an answer with another number of choices
   */
  constructor(choices: number, lastEventId: string | null) {
    this.#made = Array.from({ length: choices + 1 }, () => 0);
    this.#has = lastEventId === null ? this.#made.map(() => 0) : lastEventId.split('.').map(Number);
    if (this.#has.length !== choices + 1) {
      throw new MillraceError(
        'invalid_request',
        `Last-Event-ID ${lastEventId} is not of this stream: one with n = ${choices} has ${choices + 1} numbers. Send the id of its last event.`,
        { param: 'Last-Event-ID' },
      );
    }
  }

  /** The events that the client does not have yet, with their ids. */
  number(of: EventOf, events: readonly unknown[]): NumberedEvent[] {
    const place = of === 'answer' ? this.#made.length - 1 : of;
    return events.flatMap((event) => {
      const count = (this.#made[place] ?? 0) + 1;
      this.#made[place] = count;
      return count <= (this.#has[place] ?? 0) ? [] : [{ id: this.#id(), event }];
    });
  }

  #id(): string {
    return this.#made.map((made, place) => Math.max(made, this.#has[place] ?? 0)).join('.');
  }
}
