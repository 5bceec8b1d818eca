import type { OfferedJob, RelayDialer } from '#relay';
import type { JobRunnerParts } from './job-runner.ts';

type Port = JobRunnerParts['dialer'];
type Dialer = Pick<RelayDialer, keyof Port>;
type CancelListener = Parameters<Port['onCancel']>[0];
type LostListener = Parameters<Port['onLost']>[0];
type OfferListener = (job: string, due: boolean) => boolean;

/** A model's end of the streams. */
export interface ModelRelay extends Port, Disposable {
  /** The listener is given the jobs of the model that replicas offer, and says whether it takes them. */
  onOffer(listener: OfferListener): void;
}

/**
 * One worker's streams to the API replicas, shared by all its models: each has a port of its own, hears of every cancel and
 * loss, knows its own requests, and is forgotten with its model.
 */
export class SharedRelay {
  readonly #dialer: Dialer;
  readonly #cancels = new Set<CancelListener>();
  readonly #losses = new Set<LostListener>();
  readonly #offers = new Map<string, OfferListener>();

  constructor(dialer: Dialer) {
    this.#dialer = dialer;
    dialer.onCancel((...cancel) => {
      for (const listener of this.#cancels) listener(...cancel);
    });
    dialer.onLost((...loss) => {
      for (const listener of this.#losses) listener(...loss);
    });
  }

  /** @returns whether one of the models takes it */
  take({ model, job, due }: Pick<OfferedJob, 'model' | 'job' | 'due'>): boolean {
    return this.#offers.get(model)?.(job, due) ?? false;
  }

  port(model: string): ModelRelay {
    const cancels: CancelListener[] = [];
    const losses: LostListener[] = [];
    return {
      claim: (job) => this.#dialer.claim(job),
      reaches: (relayAddress) => this.#dialer.reaches(relayAddress),
      publish: (frames) => this.#dialer.publish(frames),
      onCancel: (listener) => {
        cancels.push(listener);
        this.#cancels.add(listener);
      },
      onLost: (listener) => {
        losses.push(listener);
        this.#losses.add(listener);
      },
      onOffer: (listener) => {
        this.#offers.set(model, listener);
      },
      [Symbol.dispose]: () => {
        this.#offers.delete(model);
        for (const listener of cancels) this.#cancels.delete(listener);
        for (const listener of losses) this.#losses.delete(listener);
      },
    };
  }
}
