// Preloaded into an API or a worker of the bench suite `tracing` (node --import): nothing hears of requests and attempts,
// as if neither metrics nor traces had ever been written. dist has to be built.
const dist = new URL('../../dist/apps/', import.meta.url);
const { RequestObservers } = await import(new URL('api/src/observation/observe-requests.js', dist));
RequestObservers.prototype.arrived = (request) => {
  request.observer = null;
};
RequestObservers.prototype.responded = () => {};
const { JobMetrics } = await import(new URL('worker/src/observation/attempt-metrics.js', dist));
const nothing = () => {};
const deaf = {
  ...{ granted: nothing, seated: nothing, tokens: nothing, choiceEnded: nothing },
  ...{ cancelled: nothing, failed: nothing, ended: nothing },
};
JobMetrics.prototype.attempt = () => deaf;
JobMetrics.prototype.claim = nothing;
