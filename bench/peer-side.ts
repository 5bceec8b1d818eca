import { Side } from './side.ts';

/** A side of a comparison that may be missing, or stop working: the others are measured all the same, and `missing` says why it was not. */
export class PeerSide implements AsyncDisposable {
  #side: Side | null;
  #missing: string | null;

  private constructor(side: Side | null, missing: string | null) {
    this.#side = side;
    this.#missing = missing;
  }

  /** @param missing why it is not even tried; null to try it */
  static async start(missing: string | null, ...[file, settings]: Parameters<typeof Side.start>): Promise<PeerSide> {
    if (missing !== null) return new PeerSide(null, missing);
    try {
      return new PeerSide(await Side.start(file, settings), null);
    } catch (error) {
      return new PeerSide(null, reasonOf(error));
    }
  }

  get missing(): string | null {
    return this.#missing;
  }

  /** @returns null where it is missing, from now on too where this measurement failed */
  async measure<Samples>(task: Record<string, unknown>): Promise<Samples | null> {
    const side = this.#side;
    if (side === null) return null;
    try {
      return await side.measure<Samples>(task);
    } catch (error) {
      this.#missing = reasonOf(error);
      this.#side = null;
      await side[Symbol.asyncDispose]();
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#side?.[Symbol.asyncDispose]();
  }
}

function reasonOf(error: unknown): string {
  const reason = (error as Error).message.split('\n', 1)[0] ?? '';
  console.error(`not run: ${reason}`);
  return reason;
}
