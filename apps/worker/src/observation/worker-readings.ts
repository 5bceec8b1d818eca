import type { EngineSupervisor } from '#engine';
import { METRICS, type MetricDefinition, type Metrics } from '#observability';
import type { JobConsumer } from '#queue';
import type { RelayDialerStats } from '#relay';

/** What a model can be asked at any time once it is loaded. */
interface ReadModel {
  readonly name: string;
  readonly serving: {
    readonly engine: Pick<EngineSupervisor, 'stats' | 'ready' | 'replacedTotal'>;
    readonly consumer: Pick<
      JobConsumer,
      'consuming' | 'lockLosses' | 'lockRenewals' | 'stalledJobs' | 'expressTotal' | 'broughtForwardTotal'
    >;
  } | null;
}
type Loaded = NonNullable<ReadModel['serving']>;
type OfModel = MetricDefinition<'counter' | 'gauge', 'model_name'>;

/** What a worker can be asked at any time. */
export interface WorkerSources {
  readonly models: () => Iterable<ReadModel>;
  readonly relay: () => RelayDialerStats;
}

/** Shows counters that the worker's parts keep anyway; they are read when somebody scrapes. */
export function exposeWorker(metrics: Metrics, { models, relay }: WorkerSources): void {
  /** One sample of each model that is loaded. */
  const each = (definition: OfModel, value: (loaded: Loaded) => number) =>
    metrics.read(definition, () =>
      [...models()].flatMap(({ name, serving }) =>
        serving === null ? [] : [{ labels: { model_name: name }, value: value(serving) }],
      ),
    );
  const engine = (definition: OfModel, value: (stats: ReturnType<Loaded['engine']['stats']>) => number) =>
    each(definition, (loaded) => value(loaded.engine.stats()));
  const plain = (value: number) => [{ labels: {}, value }];

  engine(METRICS.numRequestsRunning, ({ running }) => running);
  engine(METRICS.engineRequestsWaiting, ({ waiting }) => waiting);
  engine(METRICS.engineParked, ({ parked }) => parked);
  engine(METRICS.engineParks, ({ parksTotal }) => parksTotal);
  engine(METRICS.engineFairnessLag, ({ fairnessLagSteps }) => fairnessLagSteps);
  each(METRICS.engineSlots, ({ engine: { ready } }) => ready.slots);
  each(METRICS.engineSlotTokens, ({ engine: { ready } }) => ready.slotTokens);
  engine(METRICS.kvCacheUsage, ({ kvTokens, kvBudgetTokens }) => kvTokens / kvBudgetTokens);
  engine(METRICS.kvCacheBudget, ({ kvBudgetTokens }) => kvBudgetTokens);
  each(METRICS.kvCacheResident, ({ engine: loaded }) => {
    const { slots, slotTokens } = loaded.ready;
    return loaded.stats().kvResidentTokens ?? slots * slotTokens;
  });
  engine(METRICS.preemptions, ({ preemptionsTotal }) => preemptionsTotal);
  engine(METRICS.prefixCacheQueries, ({ prefixQueriedTokensTotal }) => prefixQueriedTokensTotal);
  engine(METRICS.prefixCacheHits, ({ prefixHitTokensTotal }) => prefixHitTokensTotal);
  engine(METRICS.prefixCacheTokens, ({ prefixTokens }) => prefixTokens);
  engine(METRICS.prefixCacheEvictions, ({ prefixEvictionsTotal }) => prefixEvictionsTotal);
  engine(METRICS.deviceTransfers, ({ deviceTransferBytesTotal }) => deviceTransferBytesTotal);
  engine(METRICS.wholeRows, ({ wholeRowsTotal }) => wholeRowsTotal);
  engine(METRICS.graphReplays, ({ graphReplaysTotal }) => graphReplaysTotal);
  engine(METRICS.promptTokens, ({ prefilledTokensTotal }) => prefilledTokensTotal);
  engine(METRICS.decodedTokens, ({ decodedTokensTotal }) => decodedTokensTotal);
  engine(METRICS.speculationProposed, ({ proposedTokensTotal }) => proposedTokensTotal);
  engine(METRICS.speculationAccepted, ({ acceptedTokensTotal }) => acceptedTokensTotal);
  metrics.read(METRICS.engineRuns, () =>
    [...models()].flatMap(({ name, serving }) => {
      if (serving === null) return [];
      const { prefillRunsTotal, decodeRunsTotal, verifyRunsTotal } = serving.engine.stats();
      return [
        { labels: { model_name: name, kind: 'prefill' }, value: prefillRunsTotal },
        { labels: { model_name: name, kind: 'decode' }, value: decodeRunsTotal },
        { labels: { model_name: name, kind: 'verify' }, value: verifyRunsTotal },
      ];
    }),
  );
  each(METRICS.enginesReplaced, ({ engine: { replacedTotal } }) => replacedTotal);

  each(METRICS.expressJobs, ({ consumer }) => consumer.expressTotal);
  each(METRICS.broughtForwardJobs, ({ consumer }) => consumer.broughtForwardTotal);
  each(METRICS.consuming, ({ consumer }) => (consumer.consuming ? 1 : 0));
  each(METRICS.jobLocksLost, ({ consumer }) => consumer.lockLosses);
  each(METRICS.jobLocksRenewed, ({ consumer }) => consumer.lockRenewals);
  each(METRICS.jobsStalled, ({ consumer }) => consumer.stalledJobs);

  metrics.read(METRICS.relayStreams, () => plain(relay().streams));
  metrics.read(METRICS.relayMessages, () => plain(relay().messagesTotal));
  metrics.read(METRICS.relayBytes, () => plain(relay().bytesTotal));
  metrics.read(METRICS.relayPendingBytes, () => plain(relay().pendingBytes));
  metrics.read(METRICS.relayDroppedFrames, () => plain(relay().droppedFramesTotal));
  metrics.read(METRICS.relayStreamsLost, () => plain(relay().streamsLostTotal));
}
