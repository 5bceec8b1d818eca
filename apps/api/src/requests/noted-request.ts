import type { RequestRecord } from '#requests';

/** How they are written; none rejects. */
export interface RecordWrites {
  create(record: RequestRecord): Promise<void>;
  update(part: Partial<RequestRecord>): Promise<void>;
  remove(): Promise<void>;
}

/** What a request comes to within this time is one write: most short ones have ended by then. */
const TOGETHER_MS = 20;

/** One request's record and what of it is not written yet. Writes follow each other, so that no later state is overtaken. */
export class NotedRequest {
  readonly #writes: RecordWrites;
  /** The whole record until it is made. */
  #record: RequestRecord | null;
  #changes: Partial<RequestRecord> | null = {};
  #timer: NodeJS.Timeout | null = null;
  #last: Promise<void> = Promise.resolve();

  constructor(writes: RecordWrites, record: RequestRecord) {
    this.#writes = writes;
    this.#record = record;
    this.#wait();
  }

  /** Somebody may know of it by now, and ask another replica. */
  told(): void {
    if (this.#record !== null) void this.write();
  }

  change(part: Partial<RequestRecord>): void {
    this.#changes = { ...this.#changes, ...part };
    this.#wait();
  }

  /** Its last state does not wait for anything: whoever has the answer may ask for it elsewhere. */
  end(part: Partial<RequestRecord>): void {
    this.#changes = { ...this.#changes, ...part };
    void this.write();
  }

  /** Settles, and never rejects, when everything that was noted is written. */
  write(): Promise<void> {
    this.#rest();
    const [record, changes] = [this.#record, this.#changes];
    this.#record = null;
    this.#changes = null;
    if (record !== null) this.#last = this.#last.then(() => this.#writes.create({ ...record, ...changes }));
    else if (changes !== null) this.#last = this.#last.then(() => this.#writes.update(changes));
    return this.#last;
  }

  /** It was never queued. */
  remove(): void {
    this.#rest();
    this.#changes = null;
    if (this.#record === null) this.#last = this.#last.then(() => this.#writes.remove());
    this.#record = null;
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => void this.write(), TOGETHER_MS).unref();
  }

  #rest(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
