import { describe, expect, it } from 'vitest';
import { type AdmissionTerms, DEFAULT_PRICE } from '#admission';
import { MillraceError } from '#contracts';
import { type Attributes, Metrics, NO_TRACING, type TraceSpan, type Tracing } from '#observability';
import { generateJob } from '../../../../test/support/generate-job.ts';
import { Answer } from '../generate/answer.ts';
import { ApiMetrics } from './api-metrics.ts';
import { ObservedRequest } from './observed-request.ts';

const arrival = { method: 'POST', route: '/v1/chat/completions', traceparent: null };
const listener = { started() {}, text() {}, choiceFinished() {}, ended() {}, failed() {} };
const usage = { promptTokens: 1, completionTokens: 1, cachedPromptTokens: 0 };
const messages = [{ role: 'user', content: 'the prompt' }];

/** Spans that only remember what was set. */
function recording() {
  const seen: Record<string, unknown> = {};
  const span: TraceSpan = {
    recording: true,
    traceparent: null,
    child: () => span,
    set: (attributes: Attributes) => void Object.assign(seen, attributes),
    event: () => {},
    fail: (code, message) => void Object.assign(seen, { code, message }),
    end: () => {},
  };
  const tracing: Tracing = { on: true, begin: () => span, close: async () => {} };
  return { tracing, seen };
}

function observed(tracing: Tracing = NO_TRACING, withContent = false) {
  const metrics = new Metrics({ process: 'api', version: '1', runtime: false });
  const request = new ObservedRequest(new ApiMetrics(metrics, 1), tracing, arrival, withContent);
  return { metrics, request };
}

async function answered(request: ObservedRequest): Promise<void> {
  const job = generateJob({ model: 'm' });
  request.authenticated('team-a');
  await request.preparing({ model: 'm', messages }, async () => {});
  request.prepared(job);
  const terms: AdmissionTerms = {
    requestId: job.requestId,
    tenantId: 'team-a',
    keyId: 'k',
    model: 'm',
    price: DEFAULT_PRICE,
    holdMicrocredits: 0,
    unlimitedCredits: true,
    costTokens: 11,
    weight: 1,
    reservationId: job.requestId,
    paidMicrocredits: 0,
    epoch: 1,
    served: false,
  };
  const now = () => {};
  const moves = {
    offering: now,
    queueing: now,
    queued: noop,
    started: noop,
    queuedAgain: now,
    delivering: now,
    settle: noop,
    release: noop,
    handOver: now,
  };
  const ticket = { priority: 1, weight: 1, waitMs: 5, mayOffer: null, terms, ...moves };
  await request.admitting(async () => ticket);
  request.queued(1);
  request.granted('w1');
  request.lost('worker_lost');
  request.queued(2);
  request.granted('w2');
  const shown = request.listening(listener);
  shown.text(0, 'the answer', { ids: [], logprobs: [] }, usage);
  request.ended(new Answer(3, 1, listener));
  request.responded(200);
}

const noop = async () => {};

describe('ObservedRequest', () => {
  it('counts admission, waits, first token, failover, end and tenant', async () => {
    const { metrics, request } = observed();
    await answered(request);
    const text = await metrics.text();
    for (const line of [
      'millrace:admissions_total{model_name="m",outcome="admitted"} 1',
      'millrace:request_queue_time_seconds_count{model_name="m"} 1',
      'millrace:time_to_first_token_seconds_count{model_name="m"} 1',
      'millrace:failovers_total{model_name="m",cause="worker_lost"} 1',
      'millrace:failover_seconds_count{model_name="m",cause="worker_lost"} 1',
      'millrace:e2e_request_latency_seconds_count{model_name="m"} 1',
      'millrace:request_success_total{model_name="m",finished_reason="abort"} 1',
      'millrace:tenant_requests_total{tenant="team-a",outcome="cancelled"} 1',
      'millrace:http_requests_total{method="POST",route="/v1/chat/completions",status="200"} 1',
    ]) {
      expect(text).toContain(line);
    }
  });

  it('counts a refusal once, by its code, and not again as an error of an admitted request', async () => {
    const { metrics, request } = observed();
    request.refused(new MillraceError('invalid_api_key', 'no'));
    request.responded(401);
    const text = await metrics.text();
    expect(text).toContain('millrace:admissions_total{model_name="none",outcome="invalid_api_key"} 1');
    expect(text).not.toContain('request_failures_total{');
  });

  it('knows how long the oldest request has been waiting', async () => {
    const { metrics, request } = observed();
    request.prepared(generateJob({ model: 'm' }));
    request.queued(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await metrics.text()).toMatch(/millrace:queue_oldest_age_seconds\{model_name="m"\} 0\.0[1-9]/);
    request.granted('w1');
    expect(await metrics.text()).toContain('millrace:queue_oldest_age_seconds{model_name="m"} 0\n');
  });

  it('puts no text of prompt or answer into spans, unless it was told to', async () => {
    const off = recording();
    await answered(observed(off.tracing).request);
    expect(JSON.stringify(off.seen)).not.toMatch(/the prompt|the answer/);
    const on = recording();
    await answered(observed(on.tracing, true).request);
    expect(on.seen).toMatchObject({
      'gen_ai.input.messages': JSON.stringify(messages),
      'gen_ai.output.messages': '["the answer"]',
    });
  });

  it('keeps what a client did wrong, which quotes it, out of spans', async () => {
    const { tracing, seen } = recording();
    const { request } = observed(tracing);
    const wrong = new MillraceError('invalid_request', 'messages[0].content is "the prompt"');
    await expect(
      request.preparing({ model: 'm', messages }, async () => {
        throw wrong;
      }),
    ).rejects.toBe(wrong);
    request.refused(wrong);
    expect(seen).toMatchObject({ code: 'invalid_request', message: '' });
  });
});
