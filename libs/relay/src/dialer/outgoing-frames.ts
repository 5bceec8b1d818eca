import type { relay } from '#contracts';

export type OutgoingDelta = Omit<relay.Delta, 'tokenIds' | 'logprobs'> & {
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly relay.TokenLogprob[];
};

/** What one engine step produced, for whichever replicas; the dialer sends each replica its part as one message. */
export interface OutgoingFrames {
  readonly step: number;
  readonly deltas: readonly OutgoingDelta[];
  readonly finished: readonly relay.Finished[];
  readonly failed: readonly relay.Failed[];
}
