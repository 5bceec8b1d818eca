import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { OfferGround } from '#admission';
import { type ErrorCode, type GenerateJob, MillraceError, relay } from '#contracts';
import { createLogger } from '#observability';
import type { JobState } from '#queue';
import { type RelaySink, type ResumedChoice, WorkerLostError } from '#relay';
import { generateJob } from '../../../../../test/support/generate-job.ts';
import { Answer } from '../answer.ts';
import type { OffersPort } from '../offers/offers-port.ts';
import type { QueuePort } from '../queue-port.ts';
import { AttemptSeries } from './attempt-series.ts';
import type { FailoverOptions } from './failover-options.ts';

interface Opened {
  readonly epoch: number;
  readonly sink: RelaySink;
  readonly resume: readonly ResumedChoice[];
}

/** A relay and a queue that do what the test says, with times of a few milliseconds. */
function harness(overrides: Partial<FailoverOptions> = {}, choices = 1, offers: OffersPort | null = null) {
  const opened: Opened[] = [];
  const queued: { how: 'add' | 'first'; job: GenerateJob }[] = [];
  const removed: number[] = [];
  const cancels: string[] = [];
  const events: string[] = [];
  const observed: string[] = [];
  const control = { state: 'queued' as JobState, served: true, redisAway: false, attached: new Set<string>() };
  const put = (how: 'add' | 'first') => async (job: GenerateJob) => {
    if (control.redisAway) throw new MillraceError('unavailable', 'Redis is away.');
    queued.push({ how, job });
  };
  const queue: QueuePort = {
    add: put('add'),
    addFirst: put('first'),
    stateOf: async () => control.state,
    remove: async (_requestId, epoch) => removed.push(epoch) > 0,
  };
  const job = generateJob({ choices, deadlineMs: 1 });
  const answer = new Answer(3, choices, {
    started: () => events.push('started'),
    text: (choice, text) => events.push(`${choice}:${text}`),
    choiceFinished: (choice, { reason }) => events.push(`${choice} ${reason}`),
    ended: ({ completionTokens }) => events.push(`ended ${completionTokens}`),
    failed: ({ code }) => events.push(code),
  });
  const series = new AttemptSeries(job, answer, {
    relay: {
      address: '',
      attached: (processId) => control.attached.has(processId),
      open: (_requestId, epoch, _choices, sink, resume = []) => {
        opened.push({ epoch, sink, resume });
        return { cancel: (reason) => cancels.push(reason), [Symbol.dispose]: () => {} };
      },
    },
    queue,
    offers,
    isServed: () => control.served,
    logger: createLogger('test', 'silent'),
    observer: {
      queued: (epoch) => observed.push(`queued ${epoch}`),
      granted: (workerId) => observed.push(`granted ${workerId}`),
      lost: (cause) => observed.push(`lost ${cause}`),
    },
    cancelLatency: { observe: (phase) => events.push(`cancelled while ${phase}`) },
    options: {
      attempts: 3,
      waitMs: 10_000,
      firstLookMs: 5,
      longestLookMs: 10,
      takenMs: 30,
      enqueueRetryMs: 2,
      ...overrides,
    },
  });
  const at = () => opened.at(-1)!;
  const say = (text: string, firstIndex: number, choice = 0) =>
    at().sink.delta({
      requestId: 'request-1',
      epoch: at().epoch,
      choice,
      firstIndex,
      tokenIds: [100 * choice + firstIndex],
      text,
      logprobs: [],
    });
  const finish = (
    completionTokens: number,
    choice = 0,
    reason: relay.FinishReason = relay.FinishReason.FINISH_REASON_STOP,
  ) =>
    at().sink.finished({
      requestId: 'request-1',
      epoch: at().epoch,
      choice,
      reason,
      stopString: '',
      completionTokens,
      cachedPromptTokens: 0,
    });
  const lose = (code: ErrorCode = 'worker_lost') => at().sink.failed(new MillraceError(code, 'gone.'));
  const loseWorker = (processId: string) => at().sink.failed(new WorkerLostError('w', 'its stream broke', processId));
  const begin = (mayOffer: OfferGround | null = null) => series.begin(mayOffer, (port, first) => port.add(first));
  return {
    series,
    answer,
    opened,
    queued,
    removed,
    cancels,
    events,
    control,
    at,
    say,
    finish,
    lose,
    loseWorker,
    begin,
  };
}

/** Workers that take jobs without the queue, of which the test is one. */
class TestOffers implements OffersPort {
  /** Whether there is anybody. */
  taken = true;
  /** Epochs. */
  readonly offered: number[] = [];
  readonly grounds: OfferGround[] = [];
  readonly forgotten: number[] = [];
  readonly computing: string[] = [];
  /** Of every job. */
  knowing: readonly string[] = [];
  decline: () => void = () => {};

  offer({ epoch }: GenerateJob, ground: OfferGround, declined: () => void): boolean {
    this.offered.push(epoch);
    this.grounds.push(ground);
    this.decline = declined;
    return this.taken;
  }

  forget({ epoch }: GenerateJob): void {
    this.forgotten.push(epoch);
  }

  computedAt(): readonly string[] {
    return this.knowing;
  }

  granted({ epoch }: GenerateJob, workerId: string): void {
    this.computing.push(`${workerId} ${epoch}`);
  }
}

const jobs = (parts: ReturnType<typeof harness>) => parts.queued.map(({ how, job }) => `${how} ${job.epoch}`);
const until = (check: () => void) => vi.waitFor(check, { interval: 2 });

describe('AttemptSeries', () => {
  it('queues a request whose worker was lost first, with the next epoch, behind what was delivered', async () => {
    const parts = harness({}, 2);
    using _ = parts.series;
    await parts.begin();
    parts.at().sink.granted('a');
    parts.say('He', 0);
    parts.say('Hi', 0, 1);
    parts.finish(1, 1);
    parts.say('llo', 1);
    parts.lose();
    await until(() => expect(jobs(parts)).toEqual(['add 1', 'first 2']));
    expect(parts.at()).toMatchObject({
      epoch: 2,
      resume: [
        { tokenIds: [0, 1], finished: false },
        { tokenIds: [100], finished: true },
      ],
    });
    expect(parts.queued[1]?.job.deadlineMs).toBeNull();
    parts.at().sink.granted('b');
    parts.say('!', 2);
    parts.finish(3);
    expect(parts.events).toEqual(['started', '0:He', '1:Hi', '1 stop', '0:llo', '0:!', '0 stop', 'ended 4']);
  });

  it('starts from the beginning when nothing was delivered', async () => {
    const parts = harness();
    using _ = parts.series;
    await parts.begin();
    parts.lose('engine_failed');
    expect(parts.at()).toMatchObject({ epoch: 2, resume: [] });
  });

  it('refuses a request that lost as many workers as it may, and says so to the client', async () => {
    const parts = harness({ attempts: 3 });
    using _ = parts.series;
    await parts.begin();
    for (const code of ['worker_lost', 'engine_failed', 'worker_lost'] as const) parts.lose(code);
    expect(parts.opened.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(parts.events).toEqual(['attempts_exhausted']);
  });

  it('does not take workers that came back for ended, up to three times the losses', async () => {
    const parts = harness({ attempts: 2 });
    using _ = parts.series;
    await parts.begin();
    parts.control.attached.add('process-1');
    for (let losses = 0; losses < 5; losses += 1) parts.loseWorker('process-1');
    expect(parts.events).toEqual([]);
    parts.loseWorker('process-1');
    expect(parts.events).toEqual(['attempts_exhausted']);
    const ended = harness({ attempts: 2 });
    using __ = ended.series;
    await ended.begin();
    ended.control.attached.add('process-1');
    for (const worker of ['process-1', 'process-2', 'process-3']) ended.loseWorker(worker);
    expect(ended.events).toEqual(['attempts_exhausted']);
  });

  it('does not count workers that drain', async () => {
    const parts = harness({ attempts: 1 });
    using _ = parts.series;
    await parts.begin();
    for (let handover = 0; handover < 5; handover++) parts.lose('worker_draining');
    expect(parts.at().epoch).toBe(6);
    expect(parts.events).toEqual([]);
  });

  it('goes on when a worker stopped the request by itself', async () => {
    const parts = harness();
    using _ = parts.series;
    await parts.begin();
    parts.say('a', 0);
    parts.finish(1, 0, relay.FinishReason.FINISH_REASON_CANCELLED);
    expect(parts.at()).toMatchObject({ epoch: 2, resume: [{ tokenIds: [0], finished: false }] });
  });

  it('passes on what another attempt can not mend', async () => {
    const parts = harness();
    using _ = parts.series;
    await parts.begin();
    parts.lose('context_length_exceeded');
    expect([parts.opened.length, parts.events]).toEqual([1, ['context_length_exceeded']]);
  });

  it('does nothing more once the client is gone', async () => {
    const parts = harness();
    using _ = parts.series;
    await parts.begin();
    parts.lose();
    await until(() => expect(jobs(parts)).toHaveLength(2));
    parts.answer.abandon();
    await parts.series.end('the client left');
    parts.lose();
    await sleep(40);
    expect([parts.opened.length, parts.removed, parts.cancels]).toEqual([2, [2], []]);
    expect(parts.events).toEqual(['cancelled while failover']);
  });

  it('stops the worker that has the request, and says how long that took once it has stopped', async () => {
    for (const phase of ['prefill', 'decode'] as const) {
      const parts = harness();
      await parts.begin();
      parts.at().sink.granted('a');
      if (phase === 'decode') parts.say('a', 0);
      parts.answer.abandon();
      const ended = parts.series.end('the client left');
      await sleep(20);
      expect([parts.cancels, parts.events.includes(`cancelled while ${phase}`)]).toEqual([['the client left'], false]);
      parts.finish(0, 0, relay.FinishReason.FINISH_REASON_CANCELLED);
      await ended;
      expect([parts.events.at(-1), parts.removed]).toEqual([`cancelled while ${phase}`, []]);
    }
  });

  it('gives nobody a request that was ended while it was queued', async () => {
    const parts = harness();
    await parts.begin();
    parts.answer.failed(new MillraceError('request_cancelled', 'not wanted.'));
    const ended = parts.series.end('not wanted');
    parts.at().sink.granted('a');
    await ended;
    expect([parts.cancels, parts.removed, parts.events]).toEqual([
      ['not wanted'],
      [1],
      ['request_cancelled', 'cancelled while queued'],
    ]);
  });

  it('queues a job again that left the queue unclaimed, and one that was taken and never claimed', async () => {
    for (const [state, leastMs] of [
      ['gone', 0],
      ['taken', 30],
    ] as const) {
      const parts = harness();
      using _ = parts.series;
      parts.control.state = state;
      const beganAtMs = performance.now();
      await parts.begin();
      await until(() => expect(jobs(parts)).toContain('first 2'));
      expect(performance.now() - beganAtMs).toBeGreaterThanOrEqual(leastMs);
      parts.control.state = 'queued';
      parts.at().sink.granted('a');
      await sleep(30);
      expect(parts.events).toEqual(['started']);
    }
  });

  it('leaves a job alone that waits, and one that was granted', async () => {
    const parts = harness();
    using _ = parts.series;
    await parts.begin();
    await sleep(50);
    parts.at().sink.granted('a');
    parts.control.state = 'gone';
    await sleep(50);
    expect(jobs(parts)).toEqual(['add 1']);
  });

  it('waits for Redis to queue a request again', async () => {
    const parts = harness();
    using _ = parts.series;
    await parts.begin();
    parts.control.redisAway = true;
    parts.lose();
    await sleep(30);
    expect(jobs(parts)).toEqual(['add 1']);
    parts.control.redisAway = false;
    await until(() => expect(jobs(parts)).toEqual(['add 1', 'first 2']));
  });

  it('fails clearly when no worker goes on in time, or none has lived for so long', async () => {
    const lost = harness({ waitMs: 20 });
    using _lost = lost.series;
    await lost.begin();
    lost.lose();
    await until(() => expect(lost.events).toEqual(['worker_lost']));
    const unserved = harness({ waitMs: 20 });
    using _unserved = unserved.series;
    unserved.control.served = false;
    await unserved.begin();
    await until(() => expect(unserved.events).toEqual(['no_workers']));
    const away = harness({ waitMs: 20 });
    using _away = away.series;
    await away.begin();
    away.control.redisAway = true;
    away.lose();
    await until(() => expect(away.events).toEqual(['worker_lost']));
  });

  it('throws when the first job can not be queued', async () => {
    const parts = harness();
    using _ = parts.series;
    parts.control.redisAway = true;
    await expect(parts.begin()).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('AttemptSeries, of a request that may be offered', () => {
  it('queues nothing once a worker was granted what it was offered', async () => {
    const offers = new TestOffers();
    const parts = harness({}, 1, offers);
    using _ = parts.series;
    const begun = parts.begin('free slot');
    expect([offers.offered, parts.opened.length]).toEqual([[1], 1]);
    parts.at().sink.granted('a');
    await begun;
    // Of a job that is not queued the queue has nothing to say.
    parts.control.state = 'gone';
    await sleep(50);
    parts.say('a', 0);
    parts.finish(1);
    expect([jobs(parts), parts.opened.length]).toEqual([[], 1]);
    expect([offers.forgotten, offers.computing]).toEqual([[1], ['a 1']]);
    expect(parts.events).toEqual(['started', '0:a', '0 stop', 'ended 1']);
  });

  it('queues it when it may not be offered, when there is nobody, and when it is declined', async () => {
    for (const how of ['not offered', 'nobody', 'declined'] as const) {
      const offers = new TestOffers();
      offers.taken = how === 'declined';
      const parts = harness({}, 1, offers);
      using _ = parts.series;
      const begun = parts.begin(how === 'not offered' ? null : 'due seat');
      if (how === 'declined') {
        await sleep(5);
        expect(jobs(parts)).toEqual([]);
        offers.decline();
      }
      await begun;
      expect([jobs(parts), offers.offered]).toEqual([['add 1'], how === 'not offered' ? [] : [1]]);
      parts.at().sink.granted('b');
      expect(offers.computing).toEqual(['b 1']);
      await sleep(30);
      expect(jobs(parts)).toEqual(['add 1']);
    }
  });

  it('says which workers know its prompt when it is queued', async () => {
    const offers = new TestOffers();
    offers.taken = false;
    offers.knowing = ['a', 'b'];
    const parts = harness({}, 1, offers);
    using _ = parts.series;
    const told: (readonly string[])[] = [];
    await parts.series.begin('free slot', async (_queue, _job, computedAt) => void told.push(computedAt));
    const without = harness();
    using _without = without.series;
    await without.series.begin(null, async (_queue, _job, computedAt) => void told.push(computedAt));
    expect(told).toEqual([['a', 'b'], []]);
  });

  it('queues it when the offer is not answered, and a worker that answers late still has it, once', async () => {
    const offers = new TestOffers();
    const parts = harness({}, 1, offers);
    using _ = parts.series;
    await parts.begin('free slot');
    expect([jobs(parts), offers.forgotten]).toEqual([['add 1'], [1]]);
    parts.at().sink.granted('late');
    offers.decline();
    parts.control.state = 'gone';
    await sleep(50);
    expect([jobs(parts), parts.opened.length, parts.events]).toEqual([['add 1'], 1, ['started']]);
    expect(offers.offered).toEqual([1]);
  });

  it('queues its next attempt first when the worker that was offered it is lost, without another offer', async () => {
    const offers = new TestOffers();
    const parts = harness({}, 1, offers);
    using _ = parts.series;
    const begun = parts.begin('free slot');
    parts.at().sink.granted('a');
    await begun;
    parts.say('a', 0);
    parts.lose();
    await until(() => expect(jobs(parts)).toEqual(['first 2']));
    parts.at().sink.granted('b');
    parts.finish(1);
    expect([offers.offered, offers.computing]).toEqual([[1], ['a 1', 'b 2']]);
    expect(parts.events.at(-1)).toBe('ended 1');
  });

  it('queues nothing of a request that ended while it was offered, and gives it to nobody', async () => {
    const offers = new TestOffers();
    const parts = harness({}, 1, offers);
    const begun = parts.begin('free slot');
    parts.answer.abandon();
    await parts.series.end('the client left');
    parts.at().sink.granted('late');
    offers.decline();
    await begun;
    expect([jobs(parts), offers.forgotten, offers.computing]).toEqual([[], [1], []]);
    expect([parts.cancels, parts.events]).toEqual([['the client left'], ['cancelled while queued']]);
  });

  it('throws when it is declined and can not be queued', async () => {
    const offers = new TestOffers();
    const parts = harness({}, 1, offers);
    using _ = parts.series;
    parts.control.redisAway = true;
    const begun = parts.begin('free slot');
    offers.decline();
    await expect(begun).rejects.toMatchObject({ code: 'unavailable' });
  });
});
