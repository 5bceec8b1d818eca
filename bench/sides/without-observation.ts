import type { AttemptObserver } from '../../apps/worker/src/observation/attempt-observer.ts';

// Preloaded into an API or a worker of the bench suite `tracing` (node --import): nothing hears of requests and attempts,
// as if neither metrics nor traces had ever been written. dist has to be built. Its classes are the sources' ones to the
// type checker, so that what is put in their place goes on fitting.
type Observers = typeof import('../../apps/api/src/observation/observe-requests.ts');
type Attempts = typeof import('../../apps/worker/src/observation/attempt-metrics.ts');

const dist = new URL('../../dist/apps/', import.meta.url);
const built = async <Module>(file: string): Promise<Module> => (await import(new URL(file, dist).href)) as Module;

const { RequestObservers } = await built<Observers>('api/src/observation/observe-requests.js');
RequestObservers.prototype.arrived = (request) => {
  request.observer = null;
};
RequestObservers.prototype.responded = () => {};
const { JobMetrics } = await built<Attempts>('worker/src/observation/attempt-metrics.js');
const nothing = () => {};
const deaf: AttemptObserver = {
  ...{ granted: nothing, submitted: nothing, seated: nothing, tokens: nothing, choiceEnded: nothing },
  ...{ cancelled: nothing, failed: nothing, ended: nothing },
};
JobMetrics.prototype.attempt = () => deaf;
JobMetrics.prototype.claim = nothing;
