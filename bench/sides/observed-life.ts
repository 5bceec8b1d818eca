import { type AdmissionTerms, DEFAULT_PRICE } from '#admission';
import { Metrics, NO_TRACING } from '#observability';
import { Answer } from '../../apps/api/src/generate/answer.ts';
import { ApiMetrics } from '../../apps/api/src/observation/api-metrics.ts';
import { ObservedRequest } from '../../apps/api/src/observation/observed-request.ts';
import { generateJob } from '../../test/support/generate-job.ts';
import { serveSide } from '../side.ts';

const ANSWER_TOKENS = 16;
const MODEL = 'tiny-llama';
const arrival = { method: 'POST', route: '/v1/chat/completions', traceparent: null };
const listener = { started() {}, text() {}, choiceFinished() {}, ended() {}, failed() {} };
const usage = { promptTokens: 12, completionTokens: 1, cachedPromptTokens: 0 };
const job = generateJob({ model: MODEL });
const asked = { model: MODEL, messages: [{ role: 'user', content: 'hello' }] };
const terms: AdmissionTerms = {
  requestId: job.requestId,
  tenantId: job.tenantId,
  keyId: 'key',
  model: MODEL,
  price: DEFAULT_PRICE,
  holdMicrocredits: 0,
  unlimitedCredits: true,
  costTokens: 28,
  weight: 1,
  reservationId: job.requestId,
  paidMicrocredits: 0,
  epoch: 1,
  served: false,
};
const settled = async () => {};
const moves = {
  queueing: () => {},
  queued: settled,
  started: settled,
  delivering: () => {},
  offering: () => {},
  queuedAgain: () => {},
  settle: settled,
  release: settled,
  handOver: () => {},
};
const NO_TOKENS = { ids: [], logprobs: [] };
const ticket = { priority: 1, weight: 1, waitMs: 0, mayOffer: null, terms, ...moves };

/** Everything that an API is told of one request, with traces off: all calls into metrics, and those into no span. */
async function life(metrics: ApiMetrics): Promise<void> {
  const request = new ObservedRequest(metrics, NO_TRACING, arrival, false);
  request.authenticated(job.tenantId);
  await request.preparing(asked, settled);
  request.prepared(job);
  await request.admitting(async () => ticket);
  request.queued(1);
  request.granted('worker');
  const heard = request.listening(listener);
  for (let token = 0; token < ANSWER_TOKENS; token++) heard.text(0, 'x', NO_TOKENS, usage);
  request.ended(new Answer(12, 1, heard));
  request.responded(200);
}

/** Samples: µs that one request's observation takes. */
serveSide(async () => {
  const metrics = new ApiMetrics(new Metrics({ process: 'api', version: '1', runtime: false }), 100);
  return async ({ requests }: { requests: number }) => {
    const beganMs = performance.now();
    for (let count = 0; count < requests; count++) await life(metrics);
    return { microseconds: ((performance.now() - beganMs) * 1_000) / requests };
  };
});
