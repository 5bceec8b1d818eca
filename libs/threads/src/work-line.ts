import { NoPlaceError } from './no-place-error.ts';
import { TenantLine } from './tenant-line.ts';

interface Piece {
  /** Settles when the piece is done, whatever came of it. */
  readonly work: () => Promise<void>;
  readonly refuse: () => void;
}

/** Work that is done one piece after another, tenants in turn. */
export class WorkLine {
  readonly #waiting: TenantLine<Piece>;
  #working = false;

  /** @param mostWaiting pieces that wait at a time, besides the one in hand; any number by default */
  constructor(mostWaiting?: number) {
    this.#waiting = new TenantLine(mostWaiting);
  }

  /**
   * Has the work done when it is the tenant's turn; at once where nothing is in hand.
   * @throws NoPlaceError for who has no place in the line, by the rule of `TenantLine`; what the work throws
   */
  run<T>(tenantId: string, work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const displaced = this.#waiting.add(tenantId, {
      work: () => work().then(resolve, reject),
      refuse: () => reject(new NoPlaceError()),
    });
    displaced?.refuse();
    void this.#serve();
    return promise;
  }

  async #serve(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (let piece = this.#waiting.next(); piece !== undefined; piece = this.#waiting.next()) await piece.work();
    this.#working = false;
  }
}
