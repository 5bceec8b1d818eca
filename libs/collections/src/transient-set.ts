import { TransientMap } from './transient-map.ts';

/** The same as `TransientMap` for members without values, such as the streams that are open. */
export class TransientSet<Member> {
  readonly #members = new TransientMap<Member, Member>();

  get size(): number {
    return this.#members.size;
  }

  has(member: Member): boolean {
    return this.#members.has(member);
  }

  add(member: Member): this {
    this.#members.set(member, member);
    return this;
  }

  /** @returns whether it was there */
  delete(member: Member): boolean {
    return this.#members.delete(member);
  }

  /** The members as they are now, in the order in which they were added. */
  values(): Member[] {
    return this.#members.values();
  }
}
