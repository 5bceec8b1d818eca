import { afterEach, describe, expect, it } from 'vitest';
import type { JobOffer, OfferedJob, OfferTaker, RelayDialer, RelayDialerOptions, RelayServer } from './index.ts';
import { delta, finished, frames } from './testing/frames.ts';
import { RawPeer } from './testing/raw-peer.ts';
import { RecordingSink } from './testing/recording-sink.ts';
import { claimOf, eventually, RelayParts, TEST_TOKEN } from './testing/relay-parts.ts';
import { MAX_MESSAGE_BYTES, PROTOCOL_VERSION } from './wire/protocol.ts';

const parts = new RelayParts();
afterEach(() => parts[Symbol.asyncDispose]());

const offerOf = (requestId: string, overrides: Partial<JobOffer> = {}): JobOffer => ({
  requestId,
  epoch: 1,
  model: 'm',
  job: `{"of":"${requestId}"}`,
  dueTenant: null,
  ...overrides,
});
const first = (takers: readonly OfferTaker[]) => takers[0] as OfferTaker;

/** Settles when the replica has read all that was sent over the worker's stream. */
async function heard(dialer: RelayDialer, server: RelayServer): Promise<void> {
  expect(await dialer.claim(claimOf(server.address, 'of nobody'))).toBe('denied');
}

/** An attached worker and what it was offered; it takes offers of model m unless told otherwise. */
async function attached(server: RelayServer, workerId: string, options: Partial<RelayDialerOptions> = {}) {
  const offered: OfferedJob[] = [];
  const take = options.takeOffer ?? (() => true);
  const takeOffer = (offer: OfferedJob) => {
    offered.push(offer);
    return take(offer);
  };
  const dialer = parts.worker({ workerId, takesOffersOf: ['m'], ...options, takeOffer });
  await heard(dialer, server);
  return { dialer, offered };
}

/** An offer, and how often its maker was told that it was declined. */
function made(server: RelayServer, offer: JobOffer, choose = first, then: () => unknown = () => {}) {
  const told = { declined: 0 };
  const taker = server.offer(offer, choose, () => {
    told.declined += 1;
    then();
  });
  return { told, to: taker?.workerId ?? null };
}

describe('an offer', () => {
  it('is claimed by the worker that takes it, and its tokens come as those of any job', async () => {
    const server = await parts.replica({ makesOffers: true });
    const outcomes: unknown[] = [];
    const takeOffer = ({ requestId, epoch }: OfferedJob) => {
      const claiming = worker.dialer.claim(claimOf(server.address, requestId, { epoch, offered: true }));
      void claiming.then((outcome) => outcomes.push(outcome));
      return true;
    };
    const worker = await attached(server, 'a', { takeOffer });
    const sink = new RecordingSink();
    server.open('r1', 3, 1, sink);
    const { told, to } = made(server, offerOf('r1', { epoch: 3 }));
    expect(to).toBe('a');
    await eventually(() => outcomes.length === 1);
    expect(outcomes).toEqual(['granted']);
    expect(worker.offered).toEqual([{ requestId: 'r1', epoch: 3, model: 'm', job: '{"of":"r1"}', due: false }]);
    await sink.until(({ workers }) => workers.length === 1);
    expect(sink.workers).toEqual(['a']);
    worker.dialer.publish(frames({ deltas: [delta('r1', 0, { epoch: 3 })], finished: [finished('r1', { epoch: 3 })] }));
    await sink.until(({ ends }) => ends.length === 1);
    expect(sink.tokens()).toEqual([100]);
    expect(server.stats().offersTotal).toEqual({ accepted: 1, declined: 0, unanswered: 0 });
    await worker.dialer.close();
    await eventually(() => server.stats().streams === 0);
    expect(told.declined).toBe(0);
  });

  it('is a grant in itself, which is taken back where its client has gone or another worker has it', async () => {
    const server = await parts.replica({ makesOffers: true });
    const outcomes: unknown[] = [];
    const cancelled: string[] = [];
    let takes = () => {};
    const worker = await attached(server, 'a', {
      takeOffer: ({ requestId }) => {
        takes = () => {
          const claiming = worker.dialer.claim(claimOf(server.address, requestId, { offered: true }));
          void claiming.then((outcome) => outcomes.push(outcome));
        };
        return true;
      },
    });
    worker.dialer.onCancel((requestId) => {
      cancelled.push(requestId);
      worker.dialer.publish(frames({ finished: [finished(requestId)] }));
    });

    const gone = new RecordingSink();
    const subscription = server.open('gone', 1, 1, gone);
    made(server, offerOf('gone'));
    await eventually(() => worker.offered.length === 1);
    subscription[Symbol.dispose]();
    takes();
    await eventually(() => cancelled.length === 1);

    const sink = new RecordingSink();
    server.open('late', 1, 1, sink);
    made(server, offerOf('late'), (takers) => takers.find(({ workerId }) => workerId === 'a') as OfferTaker);
    await eventually(() => worker.offered.length === 2);
    server.forgetOffer('late');
    const other = await attached(server, 'b');
    expect(await other.dialer.claim(claimOf(server.address, 'late'))).toBe('granted');
    takes();
    await eventually(() => cancelled.length === 2);
    expect([outcomes, cancelled]).toEqual([
      ['granted', 'granted'],
      ['gone', 'late'],
    ]);
    expect([gone.workers, sink.workers, sink.ends]).toEqual([[], ['b'], []]);
    await eventually(() => worker.dialer.stats().claims === 0);
  });

  it('is made to nobody when no worker takes offers, or none those of the model', async () => {
    const server = await parts.replica({ makesOffers: true });
    expect(made(server, offerOf('r1')).to).toBe(null);
    const silent = await attached(server, 'silent', { takesOffersOf: undefined });
    const other = await attached(server, 'other', { takesOffersOf: ['n'] });
    expect(made(server, offerOf('r1')).to).toBe(null);
    expect(made(server, offerOf('r1', { model: 'n' })).to).toBe('other');
    await eventually(() => other.offered.length === 1);
    expect(silent.offered).toEqual([]);
    const takers = (model: string) => server.takers(model).map(({ workerId }) => workerId);
    expect([takers('m'), takers('n')]).toEqual([[], ['other']]);
  });

  it('that is declined is told to its maker once, and its worker is offered nothing of the model for a moment', async () => {
    const server = await parts.replica({ makesOffers: true });
    const full = await attached(server, 'full', { takesOffersOf: ['m', 'n'], takeOffer: () => false });
    const then: (string | null)[] = [];
    const { told, to } = made(server, offerOf('r1'), first, () => {
      // The other model may have room.
      then.push(made(server, offerOf('r2')).to, made(server, offerOf('r3', { model: 'n' })).to);
    });
    expect(to).toBe('full');
    await eventually(() => told.declined > 0);
    expect(then).toEqual([null, 'full']);
    await attached(server, 'free');
    let candidates: string[] = [];
    await eventually(() => {
      const choose = (takers: readonly OfferTaker[]) => {
        candidates = takers.map(({ workerId }) => workerId);
        return takers.at(-1) as OfferTaker;
      };
      expect(made(server, offerOf('r4'), choose).to).toBe('free');
      return candidates.includes('full');
    });
    await full.dialer.close();
    await eventually(() => server.stats().streams === 1);
    expect(told.declined).toBe(1);
    expect(server.stats().offersTotal.declined).toBe(2);
  });

  it('for a due seat that is declined keeps from the worker only what else that tenant is due there', async () => {
    const server = await parts.replica({ makesOffers: true });
    const worker = await attached(server, 'full', { takesOffersOf: ['m', 'n'], takeOffer: () => false });
    const of = (requestId: string, dueTenant: string | null, model = 'm') => offerOf(requestId, { dueTenant, model });
    const then: (string | null)[] = [];
    const { to } = made(server, of('r1', 'light'), first, () => {
      then.push(made(server, of('r2', 'light')).to, made(server, of('r3', 'light', 'n')).to);
      then.push(made(server, of('r4', 'other')).to, made(server, of('r5', null)).to);
    });
    expect(to).toBe('full');
    await eventually(() => worker.offered.length === 4);
    expect(then).toEqual([null, 'full', 'full', 'full']);
    expect(worker.offered.map(({ requestId, due }) => [requestId, due])).toEqual([
      ['r1', true],
      ['r3', true],
      ['r4', true],
      ['r5', false],
    ]);
    await eventually(() => made(server, of('again', 'light')).to === 'full');
  });

  it('goes to another worker that takes the model while one has no room', async () => {
    const server = await parts.replica({ makesOffers: true });
    await attached(server, 'full', { takeOffer: () => false });
    await attached(server, 'free');
    const then: (string | null)[] = [];
    const { to } = made(server, offerOf('r1'), first, () => then.push(made(server, offerOf('r1')).to));
    expect(to).toBe('full');
    await eventually(() => then.length > 0);
    expect(then).toEqual(['free']);
  });

  it('whose stream ends before the answer is told to its maker once, as declined', async () => {
    const server = await parts.replica({ makesOffers: true });
    const gone = await attached(server, 'gone');
    const stays = await attached(server, 'stays');
    const lost = made(server, offerOf('r1'), (takers) => takers.find(({ workerId }) => workerId === 'gone')!);
    const kept = made(server, offerOf('r2'), (takers) => takers.find(({ workerId }) => workerId === 'stays')!);
    await eventually(() => gone.offered.length === 1 && stays.offered.length === 1);
    expect(lost.told.declined).toBe(0);
    await gone.dialer.close();
    await eventually(() => server.stats().streams === 1);
    expect([lost.told.declined, kept.told.declined]).toEqual([1, 0]);
    expect(server.stats().offersTotal).toEqual({ accepted: 0, declined: 0, unanswered: 1 });
  });

  it('is made to the one that is chosen, by what each of them holds', async () => {
    const server = await parts.replica({ makesOffers: true });
    const busy = await attached(server, 'busy');
    const idle = await attached(server, 'idle');
    for (const requestId of ['r1', 'r2']) {
      server.open(requestId, 1, 1, new RecordingSink());
      expect(await busy.dialer.claim(claimOf(server.address, requestId))).toBe('granted');
    }
    const seen: [string, number][] = [];
    const leastHeld = (takers: readonly OfferTaker[]) => {
      seen.push(...takers.map(({ workerId, held }): [string, number] => [workerId, held]));
      return takers.reduce((least, taker) => (taker.held < least.held ? taker : least));
    };
    expect(made(server, offerOf('r3'), leastHeld).to).toBe('idle');
    expect(seen).toEqual([
      ['busy', 2],
      ['idle', 0],
    ]);
    await eventually(() => idle.offered.length === 1);
    expect(busy.offered).toEqual([]);
  });

  it('is not made of a job that is too long for a message', async () => {
    const server = await parts.replica({ makesOffers: true });
    const { offered } = await attached(server, 'a');
    const longest = MAX_MESSAGE_BYTES / 8;
    expect(made(server, offerOf('r1', { job: 'x'.repeat(longest + 1) })).to).toBe(null);
    // Characters of three bytes each: the longest in bytes.
    expect(made(server, offerOf('r2', { job: '日'.repeat(longest) })).to).toBe('a');
    await eventually(() => offered.length === 1);
    expect(offered[0]?.job).toHaveLength(longest);
    expect(server.stats().streams).toBe(1);
  });

  it('that was forgotten tells nobody how it was answered', async () => {
    const server = await parts.replica({ makesOffers: true });
    const { dialer, offered } = await attached(server, 'a', { takeOffer: () => false });
    const { told } = made(server, offerOf('r1'));
    server.forgetOffer('r1');
    await eventually(() => offered.length === 1);
    await heard(dialer, server);
    expect(told.declined).toBe(0);
    expect(server.stats().offersTotal).toEqual({ accepted: 0, declined: 0, unanswered: 1 });
    await dialer.close();
    await eventually(() => server.stats().streams === 0);
    expect(told.declined).toBe(0);
  });

  it('that is not answered in time is the last for its worker until that says something, whatever it is', async () => {
    const server = await parts.replica({ makesOffers: true });
    const { dialer, offered } = await attached(server, 'silent');
    expect(made(server, offerOf('r1')).to).toBe('silent');
    await eventually(() => offered.length === 1);
    server.forgetOffer('of nobody');
    expect(made(server, offerOf('r2')).to).toBe('silent');
    server.forgetOffer('r2');
    expect(made(server, offerOf('r3')).to).toBe(null);
    await attached(server, 'answers');
    expect(made(server, offerOf('r3')).to).toBe('answers');
    await heard(dialer, server);
    expect(made(server, offerOf('r4')).to).toBe('silent');
  });

  it('can be declined by nobody but the worker that was offered it, and no other attempt of it', async () => {
    const server = await parts.replica({ makesOffers: true });
    const owner = await attached(server, 'owner');
    const peer = parts.add(new RawPeer(server.address, TEST_TOKEN));
    peer.hello(PROTOCOL_VERSION, 'peer');
    const { told } = made(server, offerOf('r1', { epoch: 2 }));
    await eventually(() => owner.offered.length === 1);
    const answers = () => peer.answers.length;
    const sayAndWait = async (requestId: string, epoch: number) => {
      const before = answers();
      peer.send({ $case: 'declined', value: { requestId, epoch } });
      peer.send({ $case: 'accepted', value: { requestId: 'of nobody', epoch } });
      await eventually(() => answers() > before);
    };
    await eventually(() => answers() === 1);
    await sayAndWait('r1', 2);
    expect(told.declined).toBe(0);
    peer.send({ $case: 'takesOffers', value: { models: ['m'] } });
    await sayAndWait('r1', 2);
    const ofPeer = made(
      server,
      offerOf('r2', { epoch: 2 }),
      (takers) => takers.find((one) => one.workerId === 'peer')!,
    );
    await sayAndWait('r2', 1);
    expect(ofPeer.told.declined).toBe(0);
    await sayAndWait('r2', 2);
    await sayAndWait('r2', 2);
    expect([told.declined, ofPeer.told.declined]).toEqual([0, 1]);
    expect(server.stats().offersTotal.declined).toBe(1);
  });

  it('comes for the models that a worker has said last', async () => {
    const server = await parts.replica({ makesOffers: true });
    const models = ['m'];
    const { dialer, offered } = await attached(server, 'a', { takesOffersOf: models });
    models.splice(0, 1, 'n', 'o');
    expect(made(server, offerOf('r1')).to).toBe('a');
    await eventually(() => offered.length === 1);
    dialer.sayOffersTaken();
    await heard(dialer, server);
    expect(made(server, offerOf('r2')).to).toBe(null);
    expect(made(server, offerOf('r3', { model: 'n' })).to).toBe('a');
    expect(made(server, offerOf('r4', { model: 'o' })).to).toBe('a');
    models.length = 0;
    dialer.sayOffersTaken();
    await heard(dialer, server);
    for (const model of ['m', 'n', 'o']) expect(made(server, offerOf('r5', { model })).to).toBe(null);
  });

  it('is not asked for from a replica that makes none', async () => {
    const server = await parts.replica({ makesOffers: false });
    const { dialer } = await attached(server, 'a');
    // The greeting and a claim.
    expect(dialer.stats().messagesTotal).toBe(2);
    dialer.sayOffersTaken();
    expect(dialer.stats().messagesTotal).toBe(2);
    expect(made(server, offerOf('r1')).to).toBe(null);
  });
});
