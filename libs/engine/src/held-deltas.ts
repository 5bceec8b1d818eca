import type { SequenceDelta, TokenLogprob } from './step-output.ts';

/** How long tokens wait for others to leave with: a fraction of what nobody notices of an answer that is delivered whole. */
const HOLD_MS = 50;

interface HeldDelta extends SequenceDelta {
  readonly tokenIds: number[];
  readonly logprobs: TokenLogprob[];
  text: string;
}

type ChoiceName = Pick<SequenceDelta, 'requestId' | 'epoch' | 'choice'>;

/** New tokens of answers that nobody reads before they are complete, kept for a moment so that many leave as one delta. */
export class HeldDeltas {
  readonly #holdMs: number;
  readonly #nowMs: () => number;
  readonly #held = new Map<string, HeldDelta>();
  /** When the oldest of them came. */
  #sinceMs = 0;

  constructor(holdMs: number = HOLD_MS, nowMs: () => number = () => performance.now()) {
    this.#holdMs = holdMs;
    this.#nowMs = nowMs;
  }

  add(delta: SequenceDelta): void {
    const name = nameOf(delta);
    const held = this.#held.get(name);
    if (held === undefined) {
      if (this.#held.size === 0) this.#sinceMs = this.#nowMs();
      this.#held.set(name, { ...delta, tokenIds: [...delta.tokenIds], logprobs: [...delta.logprobs] });
      return;
    }
    held.tokenIds.push(...delta.tokenIds);
    held.logprobs.push(...delta.logprobs);
    held.text += delta.text;
  }

  /** What is held of a choice that ends; at most one. */
  takeChoice(choice: ChoiceName): SequenceDelta[] {
    const name = nameOf(choice);
    const held = this.#held.get(name);
    if (held === undefined) return [];
    this.#held.delete(name);
    return [held];
  }

  /** What is held of a request that fails. */
  takeRequest({ requestId, epoch }: Omit<ChoiceName, 'choice'>): SequenceDelta[] {
    const own = [...this.#held.values()].filter((held) => held.requestId === requestId && held.epoch === epoch);
    return own.flatMap((held) => this.takeChoice(held));
  }

  /** Everything that is held, once the oldest of it has waited long enough. */
  takeDue(): SequenceDelta[] {
    if (this.#held.size === 0 || this.#nowMs() - this.#sinceMs < this.#holdMs) return [];
    const due = [...this.#held.values()];
    this.#held.clear();
    return due;
  }
}

function nameOf({ requestId, epoch, choice }: ChoiceName): string {
  return `${requestId}/${epoch}/${choice}`;
}
