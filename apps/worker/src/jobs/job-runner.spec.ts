import { describe, expect, it, vi } from 'vitest';
import type { GenerateJob } from '#contracts';
import type { EnginePort, EngineRequest, EngineStats, StepOutput } from '#engine';
import { createLogger, Metrics } from '#observability';
import type { ClaimOutcome, ClaimRequest, OutgoingFrames } from '#relay';
import { generateJob } from '../../../../test/support/generate-job.ts';
import { JobMetrics } from '../observation/attempt-metrics.ts';
import type { MadeTokens } from './attempt.ts';
import { JobRunner } from './job-runner.ts';
import type { ReportedRequest } from './unsettled-usage.ts';

const stats: EngineStats = {
  running: 0,
  waiting: 0,
  parked: 0,
  parksTotal: 0,
  fairnessLagSteps: 0,
  freeSlots: 1,
  kvTokens: 0,
  kvBudgetTokens: 0,
  kvResidentTokens: 0,
  preemptionsTotal: 0,
  stepsTotal: 0,
  decodeRunsTotal: 0,
  prefillRunsTotal: 0,
  verifyRunsTotal: 0,
  proposedTokensTotal: 0,
  acceptedTokensTotal: 0,
  decodedTokensTotal: 0,
  prefilledTokensTotal: 0,
  prefixQueriedTokensTotal: 0,
  prefixHitTokensTotal: 0,
  prefixTokens: 0,
  prefixEvictionsTotal: 0,
  deviceTransferBytesTotal: 0,
  wholeRowsTotal: 0,
  graphReplaysTotal: 0,
};

/** An engine and a relay that do what the test says. */
function harness(
  answer: (request: ClaimRequest) => Promise<ClaimOutcome> = async () => 'granted',
  { near = false, broken = false } = {},
) {
  const submitted: EngineRequest[] = [];
  const cancelled: string[] = [];
  const published: OutgoingFrames[] = [];
  let step = (_output: StepOutput): void => {};
  let cancel = (_requestId: string, _epoch: number, _reason: string): void => {};
  let lose = (_requestId: string, _epoch: number): void => {};
  const engine: EnginePort = {
    submit: (request) => {
      if (broken) throw new Error('nothing can be submitted');
      submitted.push(request);
    },
    cancel: (requestId) => cancelled.push(requestId),
    onStep: (listener) => {
      step = listener;
    },
    onFatal: () => {},
    stats: () => stats,
    close: async () => {},
  };
  const dialer = {
    claim: answer,
    reaches: () => near,
    publish: (frames: OutgoingFrames) => published.push(frames),
    onCancel: (listener: typeof cancel) => {
      cancel = listener;
    },
    onLost: (listener: typeof lose) => {
      lose = listener;
    },
  };
  const tokenTable = {
    bytes: new Uint8Array(),
    offsets: new Uint32Array(1),
    special: new Uint8Array(),
    stripLeadingSpace: false,
  };
  const logger = createLogger('test', 'silent');
  const metrics = new Metrics({ process: 'worker', version: '0', runtime: false });
  const observer = new JobMetrics(metrics, 'm');
  const reports: [string, number][] = [];
  const reportUsage = async ({ requestId }: ReportedRequest, made: MadeTokens) =>
    void reports.push([requestId, made.completionTokens]);
  const runner = new JobRunner({
    ...{ engine, dialer, tokenTable, logger, observer, reportUsage },
    cardHash: 'card',
    prefixSharing: 'tenant',
  });
  const job = (overrides: Partial<GenerateJob> = {}) => generateJob({ cardHash: 'card', ...overrides });
  const finish = (choice: number) => {
    const end = {
      requestId: 'request-1',
      epoch: 1,
      choice,
      reason: 'stop',
      stopString: null,
      completionTokens: 1,
      cachedPromptTokens: 0,
    };
    step({ step: 1, seated: [], deltas: [], finished: [{ ...end, reason: 'stop' }], failed: [], stats });
  };
  const lost = () => lose('request-1', 1);
  return {
    runner,
    job,
    submitted,
    cancelled,
    published,
    finish,
    reports,
    lost,
    cancel: () => cancel('request-1', 1, 'gone'),
  };
}

const never = new AbortController().signal;
const settled = (promise: Promise<void>) =>
  Promise.race([promise.then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), 10))]);

describe('JobRunner', () => {
  it('tells what it made of a request whose API replica vanished, and of no other', async () => {
    const resume = [
      { tokenIds: [1, 2, 3], finished: true },
      { tokenIds: [1], finished: false },
    ];
    const { runner, job, finish, reports, lost, cancelled } = harness(async () => ({ resume }));
    const run = runner.run(job({ choices: 2 }), never);
    await settled(run);
    lost();
    expect(cancelled).toEqual(['request-1']);
    finish(1);
    await run;
    expect(reports).toEqual([['request-1', 4]]);
    const other = harness();
    const whole = other.runner.run(other.job(), never);
    await settled(whole);
    other.finish(0);
    await whole;
    expect(other.reports).toEqual([]);
  });

  it('tells what it made of a request whose API replica vanished before its last frames can have arrived, once', async () => {
    const { runner, job, finish, reports, lost } = harness();
    const run = runner.run(job(), never);
    await settled(run);
    finish(0);
    await run;
    expect(reports).toEqual([]);
    lost();
    lost();
    expect(reports).toEqual([['request-1', 1]]);
  });

  it('settles when the last of several choices has ended', async () => {
    const { runner, job, finish, submitted } = harness();
    const run = runner.run(job({ choices: 2 }), never);
    expect(await settled(run)).toBe(false);
    expect(submitted).toHaveLength(1);
    finish(0);
    expect(await settled(run)).toBe(false);
    finish(1);
    expect(await settled(run)).toBe(true);
    expect(runner.running).toBe(0);
  });

  it('gives nothing to the engine that failed before its claim was answered', async () => {
    const { promise, resolve } = Promise.withResolvers<ClaimOutcome>();
    const { runner, job, submitted, published } = harness(() => promise);
    const run = runner.run(job(), never);
    runner.failAll('engine_failed', 'The engine is gone.');
    resolve('granted');
    await run;
    expect(submitted).toEqual([]);
    expect(published.flatMap(({ failed }) => failed.map(({ code }) => code))).toEqual(['engine_failed']);
  });

  it('gives a denied job to nobody', async () => {
    const { runner, job, submitted, published } = harness(async () => 'denied');
    await runner.run(job(), never);
    expect([submitted, published]).toEqual([[], []]);
    expect(runner.counts).toEqual({ granted: 0, resumed: 0, denied: 1, refused: 0, repeated: 0 });
  });

  describe('whose replica is a round trip away', () => {
    const near = { near: true };

    it('gives a first attempt to the engine before its claim is answered', async () => {
      const { promise, resolve } = Promise.withResolvers<ClaimOutcome>();
      const { runner, job, submitted, finish } = harness(() => promise, near);
      const run = runner.run(job(), never);
      expect(submitted).toHaveLength(1);
      resolve('granted');
      expect(await settled(run)).toBe(false);
      finish(0);
      await run;
      expect(submitted).toHaveLength(1);
      expect(runner.counts).toMatchObject({ granted: 1, denied: 0 });
    });

    it('settles once a run has ended whose end came before the grant', async () => {
      const { promise, resolve } = Promise.withResolvers<ClaimOutcome>();
      const { runner, job, finish } = harness(() => promise, near);
      const run = runner.run(job(), never);
      finish(0);
      expect(await settled(run)).toBe(false);
      resolve('granted');
      expect(await settled(run)).toBe(true);
    });

    it('takes it back from the engine when the claim is denied, and waits for that', async () => {
      const { runner, job, submitted, cancelled, finish, reports, lost } = harness(async () => 'denied', near);
      const run = runner.run(job(), never);
      expect(submitted).toHaveLength(1);
      expect(await settled(run)).toBe(false);
      expect(cancelled).toEqual(['request-1']);
      finish(0);
      expect(await settled(run)).toBe(true);
      lost();
      expect(reports).toEqual([]);
      expect(runner.counts).toMatchObject({ granted: 0, denied: 1 });
      expect(runner.running).toBe(0);
    });

    it('waits for the grant of a later attempt, which says what to go on behind', async () => {
      const { promise, resolve } = Promise.withResolvers<ClaimOutcome>();
      const { runner, job, submitted } = harness(() => promise, near);
      void runner.run(job({ epoch: 2 }), never);
      expect(submitted).toHaveLength(0);
      const resume = [{ tokenIds: [4], finished: false }];
      resolve({ resume });
      await vi.waitFor(() => expect(submitted).toHaveLength(1));
      expect(submitted[0]).toMatchObject({ epoch: 2, resume });
    });

    it('gives the engine nothing that it has to refuse, or that comes after its grace time', async () => {
      const { runner, job, submitted, published } = harness(async () => 'granted', near);
      await runner.run(job({ cardHash: 'another' }), never);
      await runner.run(job(), AbortSignal.abort());
      expect(submitted).toEqual([]);
      expect(published.flatMap(({ failed }) => failed.map(({ code }) => code))).toEqual([
        'unavailable',
        'worker_draining',
      ]);
    });

    it('hands back what was begun anew although something was delivered of it', async () => {
      const resume = [{ tokenIds: [4], finished: false }];
      const { runner, job, cancelled, published } = harness(async () => ({ resume }), near);
      await runner.run(job(), never);
      expect(cancelled).toEqual(['request-1']);
      expect(published.flatMap(({ failed }) => failed.map(({ code }) => code))).toEqual(['worker_lost']);
    });

    it('fails what was begun when the engine fails before the grant', async () => {
      const { promise, resolve } = Promise.withResolvers<ClaimOutcome>();
      const { runner, job, published } = harness(() => promise, near);
      const run = runner.run(job(), never);
      runner.failAll('engine_failed', 'The engine is gone.');
      expect(published.flatMap(({ failed }) => failed.map(({ code }) => code))).toEqual(['engine_failed']);
      resolve('granted');
      expect(await settled(run)).toBe(true);
    });
  });

  it('ends every choice of a request that is cancelled between the grant and the submit, without running it', async () => {
    const parts = harness(async () => {
      parts.cancel();
      return 'granted';
    });
    await parts.runner.run(parts.job({ choices: 2 }), never);
    expect(parts.submitted).toEqual([]);
    expect(parts.published[0]?.finished.map(({ choice }) => choice)).toEqual([0, 1]);
  });

  it('goes on behind what was delivered, and settles without the choices that had ended', async () => {
    const resume = [
      { tokenIds: [4, 5], finished: true },
      { tokenIds: [6], finished: false },
    ];
    const { runner, job, submitted, finish } = harness(async () => ({ resume }));
    const run = runner.run(job({ choices: 2 }), never);
    expect(await settled(run)).toBe(false);
    expect(submitted[0]).toMatchObject({ resume });
    finish(1);
    expect(await settled(run)).toBe(true);
    expect(runner.counts).toMatchObject({ granted: 1, resumed: 1 });
  });

  it('runs a job once that the queue delivers again while it runs', async () => {
    const { runner, job, submitted, finish } = harness();
    const run = runner.run(job(), never);
    await runner.run(job(), never);
    expect(submitted).toHaveLength(1);
    finish(0);
    await run;
    expect(runner.counts.repeated).toBe(1);
  });

  it('tells clients and the engine when the worker shuts down', async () => {
    const { runner, job, cancelled, published } = harness();
    const shutdown = new AbortController();
    const run = runner.run(job(), shutdown.signal);
    expect(await settled(run)).toBe(false);
    shutdown.abort();
    await run;
    expect(published[0]?.failed).toMatchObject([{ requestId: 'request-1', code: 'worker_draining' }]);
    expect(cancelled).toEqual(['request-1']);
  });

  it.each([true, false])(
    'tells the client of a job that it could not run, its claim answered later: %s',
    async (near) => {
      const { runner, job, published, cancelled } = harness(async () => 'granted', { near, broken: true });
      await expect(runner.run(job(), never)).rejects.toThrow('nothing can be submitted');
      expect(published.flatMap(({ failed }) => failed)).toMatchObject([
        { requestId: 'request-1', epoch: 1, code: 'engine_failed' },
      ]);
      expect(cancelled).toEqual(['request-1']);
      expect(runner.running).toBe(0);
    },
  );

  it.each([true, false])('claims a job as what it is: offered %s', async (offered) => {
    const claims: ClaimRequest[] = [];
    const { runner, job, finish } = harness(async (request) => {
      claims.push(request);
      return 'granted';
    });
    const run = runner.run(job(), never, offered);
    await settled(run);
    finish(0);
    await run;
    const { requestId, epoch, choices, relayAddress } = job();
    expect(claims).toEqual([{ requestId, epoch, choices, relayAddress, offered }]);
  });

  it('settles and tells clients when the engine fails', async () => {
    const { runner, job, published } = harness();
    const run = runner.run(job(), never);
    expect(await settled(run)).toBe(false);
    runner.failAll('engine_failed', 'it failed');
    await run;
    expect(published[0]?.failed).toMatchObject([{ code: 'engine_failed' }]);
  });
});
