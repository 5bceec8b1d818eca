import type { EnginePort } from '../engine-port.ts';
import type { ResumedChoice } from '../engine-request.ts';
import type { SequenceDelta, SequenceFinish } from '../step-output.ts';

type DeliveredDelta = Omit<SequenceDelta, 'epoch'>;
type DeliveredFinish = Omit<SequenceFinish, 'epoch'>;

/** What a client got of one request, over however many attempts: every delta and end of each choice, in order. */
export class DeliveredAnswer {
  readonly choices: { readonly deltas: DeliveredDelta[]; finish: DeliveredFinish | null }[];
  failure: string | null = null;
  readonly #requestId: string;

  constructor(requestId: string, choices: number) {
    this.#requestId = requestId;
    this.choices = Array.from({ length: choices }, () => ({ deltas: [], finish: null }));
  }

  get finished(): boolean {
    return this.choices.every(({ finish }) => finish !== null);
  }

  /** What the next attempt has to be told. */
  get resume(): ResumedChoice[] {
    return this.choices.map(({ deltas, finish }) => ({
      tokenIds: deltas.flatMap(({ tokenIds }) => tokenIds),
      finished: finish !== null,
    }));
  }

  #choice(index: number): (typeof this.choices)[number] {
    const choice = this.choices[index];
    if (choice === undefined) throw new Error(`the request has no choice ${index}`);
    return choice;
  }

  /** Takes what the engine publishes of this request until the returned function is called. */
  follow(engine: EnginePort): () => void {
    let following = true;
    engine.onStep((output) => {
      if (!following) return;
      for (const { epoch: _, ...delta } of output.deltas) {
        if (delta.requestId !== this.#requestId) continue;
        const choice = this.#choice(delta.choice);
        const next = choice.deltas.flatMap(({ tokenIds }) => tokenIds).length;
        if (delta.firstIndex !== next)
          throw new Error(`choice ${delta.choice}: token ${delta.firstIndex}, not ${next}`);
        choice.deltas.push(delta);
      }
      for (const { epoch: _, ...finish } of output.finished) {
        if (finish.requestId !== this.#requestId) continue;
        const choice = this.#choice(finish.choice);
        if (choice.finish !== null) throw new Error(`choice ${finish.choice} finished twice`);
        choice.finish = finish;
      }
      for (const failed of output.failed) if (failed.requestId === this.#requestId) this.failure = failed.message;
    });
    return () => {
      following = false;
    };
  }
}
