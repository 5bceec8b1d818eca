import { describe, expect, it } from 'vitest';
import { type GenerateJob, JOB_VERSION } from '#contracts';
import { decodeJob } from '#queue';
import type { JobOffer, OfferTaker } from '#relay';
import { generateJob } from '../../../../../test/support/generate-job.ts';
import { JobOffers } from './job-offers.ts';

/** A relay whose workers are those that the test puts there. */
function relayOf(takers: OfferTaker[]) {
  const made: { readonly offer: JobOffer; readonly to: string; readonly declined: () => void }[] = [];
  const forgotten: string[] = [];
  const versions: string[] = [];
  const told: [string, number[]][] = [];
  const offers = new JobOffers({
    relay: {
      offer: (offer, choose, declined) => {
        if (takers.length === 0) return null;
        const taker = choose(takers);
        made.push({ offer, to: taker.workerId, declined });
        return taker;
      },
      forgetOffer: (requestId) => forgotten.push(requestId),
      takers: (model) => (model === 'm' ? takers : []),
    },
    jobVersionOf: (model) => {
      versions.push(model);
      return JOB_VERSION;
    },
    tell: (workerId, blocks) => told.push([workerId, [...blocks]]),
  });
  const choiceFor = (job: GenerateJob): string | undefined => {
    expect(offers.offer(job, 'free slot', () => {})).toBe(true);
    return made.at(-1)?.to;
  };
  return { offers, made, forgotten, versions, told, takers, choiceFor };
}

const taker = (workerId: string, held = 0): OfferTaker => ({ workerId, held });
const jobOf = (promptTokens: number, overrides: Partial<GenerateJob> = {}) =>
  generateJob({ promptTokenIds: Array.from({ length: promptTokens }, (_, index) => index), ...overrides });
const counted = (choices: readonly (string | undefined)[]) => {
  const counts: Record<string, number> = {};
  for (const choice of choices) counts[choice ?? 'nobody'] = (counts[choice ?? 'nobody'] ?? 0) + 1;
  return counts;
};

describe('JobOffers', () => {
  it('tells other replicas what is new of a prompt, and knows what they tell', () => {
    const [here, there] = [relayOf([taker('a'), taker('b')]), relayOf([taker('a'), taker('b')])];
    here.offers.granted(jobOf(300), 'b');
    here.offers.granted(jobOf(300), 'b');
    here.offers.granted(jobOf(400), 'b');
    expect(here.told.map(([workerId, blocks]) => [workerId, blocks.length])).toEqual([
      ['b', 4],
      ['b', 2],
    ]);
    here.offers.granted(jobOf(60), 'a');
    expect(here.told).toHaveLength(2);
    const chosen = () => counted(Array.from({ length: 6 }, () => there.choiceFor(jobOf(500))));
    for (const [workerId, blocks] of here.told) there.offers.computed(workerId, blocks);
    expect(chosen()).toEqual({ b: 6 });
    for (const [, blocks] of here.told) there.offers.computed('a', blocks);
    there.offers.granted(jobOf(480), 'a');
    expect(chosen()).toEqual({ a: 6 });
    expect(there.told.map(([workerId, blocks]) => [workerId, blocks.length])).toEqual([['a', 1]]);
  });

  it('offers the text that would go into the queue, and passes on that it was declined', () => {
    const { offers, made, forgotten, versions } = relayOf([taker('a')]);
    const job = jobOf(3, { requestId: 'r', epoch: 2, model: 'org/model' });
    let declined = 0;
    expect(
      offers.offer(job, 'free slot', () => {
        declined += 1;
      }),
    ).toBe(true);
    const { offer } = made[0]!;
    expect([offer.requestId, offer.epoch, offer.model, versions]).toEqual(['r', 2, 'org/model', ['org/model']]);
    expect(offer.dueTenant).toBe(null);
    expect(decodeJob('r-2', JSON.parse(offer.job))).toEqual(job);
    made[0]?.declined();
    expect(declined).toBe(1);
    offers.forget(job);
    expect(forgotten).toEqual(['r']);
  });

  it('says whose it is when it is for a seat that its tenant is due', () => {
    const { offers, made } = relayOf([taker('a')]);
    offers.offer(jobOf(3, { tenantId: 'light' }), 'due seat', () => {});
    expect(made[0]?.offer.dueTenant).toBe('light');
  });

  it('says when there is nobody', () => {
    expect(relayOf([]).offers.offer(jobOf(100), 'free slot', () => {})).toBe(false);
  });

  it('knows which workers have computed most of a prompt, where others have not', () => {
    const takers = [taker('a', 9), taker('b'), taker('c')];
    const { offers } = relayOf(takers);
    const model = 'm';
    const known = () => offers.computedAt(jobOf(1_000, { model }));
    expect(known()).toEqual([]);
    offers.granted(jobOf(64, { model }), 'c');
    expect(known()).toEqual(['c']);
    offers.granted(jobOf(640, { model }), 'a');
    expect(known()).toEqual(['a']);
    offers.granted(jobOf(512, { model }), 'b');
    expect(known()).toEqual(['a', 'b']);
    // It has left; of those that are there, all know as much.
    takers.pop();
    expect(known()).toEqual([]);
    takers.shift();
    expect(known()).toEqual([]);
    expect(offers.computedAt(jobOf(1_000))).toEqual([]);
  });

  it('prefers a worker that has computed enough of the prompt to an idle one', () => {
    const { offers, choiceFor } = relayOf([taker('idle'), taker('knows', 1), taker('idle too')]);
    offers.granted(jobOf(192), 'knows');
    for (let time = 0; time < 6; time += 1) expect(choiceFor(jobOf(200))).toBe('knows');
    const others = [jobOf(200, { tenantId: 'other' }), jobOf(200, { model: 'other' }), jobOf(60)];
    for (const job of others) expect(choiceFor(job)).not.toBe('knows');
  });

  it('prefers an idle worker to one that knows little of the prompt and is busy', () => {
    const { offers, choiceFor, takers } = relayOf([taker('knows', 2), taker('idle')]);
    offers.granted(jobOf(64), 'knows');
    for (let time = 0; time < 4; time += 1) expect(choiceFor(jobOf(500))).toBe('idle');
    takers[0] = taker('knows', 0);
    for (let time = 0; time < 4; time += 1) expect(choiceFor(jobOf(500))).toBe('knows');
  });

  it('prefers the worker on which least runs where none knows the prompt', () => {
    const { choiceFor } = relayOf([taker('a', 3), taker('b', 1), taker('c', 2)]);
    for (let time = 0; time < 6; time += 1) expect(choiceFor(jobOf(500))).toBe('b');
  });

  it('has a prompt that nobody knows begin with the same of equal workers on every replica, and spreads prompts', () => {
    const replica = relayOf([taker('a'), taker('b'), taker('busy', 1), taker('c')]);
    const another = relayOf([taker('c'), taker('busy', 1), taker('a'), taker('b')]);
    const choices = Array.from({ length: 60 }, (_, index) => {
      const job = jobOf(64 + index, { tenantId: `tenant-${index}` });
      const choice = replica.choiceFor(job);
      expect([replica.choiceFor(job), another.choiceFor(job), another.choiceFor(job)]).toEqual([
        choice,
        choice,
        choice,
      ]);
      return choice;
    });
    const { busy = 0, ...idle } = counted(choices);
    expect([busy, Object.keys(idle).sort()]).toEqual([0, ['a', 'b', 'c']]);
    expect(Math.min(...Object.values(idle))).toBeGreaterThanOrEqual(8);
  });

  it('takes equals in turn for prompts that are too short to be kept', () => {
    const { choiceFor } = relayOf([taker('a'), taker('b'), taker('busy', 1), taker('c')]);
    const choices = Array.from({ length: 12 }, () => choiceFor(jobOf(10)));
    const { busy = 0, ...idle } = counted(choices);
    expect(busy).toBe(0);
    expect(Object.keys(idle).sort()).toEqual(['a', 'b', 'c']);
    expect(Math.min(...Object.values(idle))).toBeGreaterThanOrEqual(3);
    const two = relayOf([taker('a'), taker('b')]);
    const alternating = Array.from({ length: 10 }, () => two.choiceFor(jobOf(10)));
    expect(counted(alternating)).toEqual({ a: 5, b: 5 });
    expect(alternating.every((choice, index) => index === 0 || choice !== alternating[index - 1])).toBe(true);
  });
});
