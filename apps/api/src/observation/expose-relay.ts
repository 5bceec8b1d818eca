import { METRICS, type Metrics } from '#observability';
import type { RelayServerStats } from '#relay';

/** Shows what the relay counts anyway; it is read when somebody scrapes. */
export function exposeRelay(metrics: Metrics, stats: () => RelayServerStats): void {
  const plain = (value: number) => [{ labels: {}, value }];
  metrics.read(METRICS.relayStreams, () => plain(stats().streams));
  metrics.read(METRICS.relayOpenRequests, () => plain(stats().openRequests));
  metrics.read(METRICS.relayMessages, () => plain(stats().framesTotal));
  metrics.read(METRICS.relayBytes, () => plain(stats().bytesTotal));
  metrics.read(METRICS.relayTokens, () => plain(stats().tokensTotal));
  metrics.read(METRICS.relayStreamsLost, () => plain(stats().streamsLostTotal));
  metrics.read(METRICS.relayOffers, () =>
    Object.entries(stats().offersTotal).map(([answer, value]) => ({ labels: { answer }, value })),
  );
  metrics.read(METRICS.relayRefusedFrames, () =>
    Object.entries(stats().refusedTotal).map(([cause, value]) => ({ labels: { cause }, value })),
  );
}
