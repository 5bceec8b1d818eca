import type { EngineReady, EngineStats } from '#engine';
import { METRICS, type Metrics } from '#observability';
import type { RelayDialerStats } from '#relay';

/** What a serving worker can be asked at any time. */
export interface WorkerSources {
  readonly model: string;
  readonly ready: Pick<EngineReady, 'slots' | 'slotTokens'>;
  readonly engine: () => EngineStats;
  /** Threads of the engine that were lost and replaced. */
  readonly enginesReplaced: () => number;
  readonly consumer: () => {
    readonly consuming: boolean;
    readonly lockLosses: number;
    readonly lockRenewals: number;
    readonly stalledJobs: number;
    readonly expressTotal: number;
  };
  readonly relay: () => RelayDialerStats;
}

/** Shows counters that the worker's parts keep anyway; they are read when somebody scrapes. */
export function exposeWorker(metrics: Metrics, sources: WorkerSources): void {
  const { engine, consumer, relay, ready } = sources;
  const labels = { model_name: sources.model };
  const one = (value: number) => [{ labels, value }];
  const plain = (value: number) => [{ labels: {}, value }];

  metrics.read(METRICS.numRequestsRunning, () => one(engine().running));
  metrics.read(METRICS.engineRequestsWaiting, () => one(engine().waiting));
  metrics.read(METRICS.engineParked, () => one(engine().parked));
  metrics.read(METRICS.engineParks, () => one(engine().parksTotal));
  metrics.read(METRICS.engineFairnessLag, () => one(engine().fairnessLagSteps));
  metrics.read(METRICS.engineSlots, () => one(ready.slots));
  metrics.read(METRICS.engineSlotTokens, () => one(ready.slotTokens));
  metrics.read(METRICS.kvCacheUsage, () => one(engine().kvTokens / engine().kvBudgetTokens));
  metrics.read(METRICS.kvCacheBudget, () => one(engine().kvBudgetTokens));
  metrics.read(METRICS.kvCacheResident, () => one(engine().kvResidentTokens ?? ready.slots * ready.slotTokens));
  metrics.read(METRICS.preemptions, () => one(engine().preemptionsTotal));
  metrics.read(METRICS.prefixCacheQueries, () => one(engine().prefixQueriedTokensTotal));
  metrics.read(METRICS.prefixCacheHits, () => one(engine().prefixHitTokensTotal));
  metrics.read(METRICS.prefixCacheTokens, () => one(engine().prefixTokens));
  metrics.read(METRICS.prefixCacheEvictions, () => one(engine().prefixEvictionsTotal));
  metrics.read(METRICS.promptTokens, () => one(engine().prefilledTokensTotal));
  metrics.read(METRICS.decodedTokens, () => one(engine().decodedTokensTotal));
  metrics.read(METRICS.engineRuns, () => [
    { labels: { ...labels, kind: 'prefill' }, value: engine().prefillRunsTotal },
    { labels: { ...labels, kind: 'decode' }, value: engine().decodeRunsTotal },
  ]);
  metrics.read(METRICS.enginesReplaced, () => one(sources.enginesReplaced()));

  metrics.read(METRICS.expressJobs, () => one(consumer().expressTotal));
  metrics.read(METRICS.consuming, () => one(consumer().consuming ? 1 : 0));
  metrics.read(METRICS.jobLocksLost, () => one(consumer().lockLosses));
  metrics.read(METRICS.jobLocksRenewed, () => one(consumer().lockRenewals));
  metrics.read(METRICS.jobsStalled, () => one(consumer().stalledJobs));

  metrics.read(METRICS.relayStreams, () => plain(relay().streams));
  metrics.read(METRICS.relayMessages, () => plain(relay().messagesTotal));
  metrics.read(METRICS.relayBytes, () => plain(relay().bytesTotal));
  metrics.read(METRICS.relayPendingBytes, () => plain(relay().pendingBytes));
  metrics.read(METRICS.relayDroppedFrames, () => plain(relay().droppedFramesTotal));
  metrics.read(METRICS.relayStreamsLost, () => plain(relay().streamsLostTotal));
}
