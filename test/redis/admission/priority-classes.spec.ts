import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelPlaces, PRIORITY_CLASSES, type PriorityClass, UNIT_TOKENS } from '#admission';
import { ModelQueue } from '#queue';
import { generateJob } from '../../support/generate-job.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { redisOfTests } from '../../support/redis-of-tests.ts';
import { SimulatedService } from '../../support/simulated-service.ts';

const { redis } = await redisOfTests();
let models = 0;

interface Sent {
  readonly tenantId: 'own' | 'other';
  readonly priorityClass: PriorityClass;
  readonly costTokens: number;
}

/** A request, by its number, came or was served. */
type Step = { readonly came: number } | { readonly served: number };

/** Queues all of them, serves one behind each of the named ones, then the rest. @returns all that happened, in order */
async function course(requests: readonly Sent[], serveBetween: ReadonlySet<number> = new Set()): Promise<Step[]> {
  models += 1;
  const model = `model-${models}`;
  const places = new ModelPlaces(redis, model, new ManualClock());
  const queue = new ModelQueue({ model, redis });
  await using service = new SimulatedService(redis, model);
  const steps: Step[] = [];
  const serve = async (): Promise<boolean> => {
    const job = await service.next();
    if (job === null) return false;
    await places.start(job.requestId, job.tenantId);
    steps.push({ served: Number(job.requestId) });
    return true;
  };
  for (const [index, request] of requests.entries()) {
    const requestId = String(index);
    const limits = { places: 1_000, placesOfTenant: 1_000, mostJobs: 2_000, slots: 1 };
    const place = await places.take({
      ...request,
      ...limits,
      requestId,
      weight: 1,
      leaseMs: 60_000,
      longestWaitMs: null,
      refusedBefore: null,
    });
    await queue.add(generateJob({ model, requestId, tenantId: request.tenantId }), place.priority);
    steps.push({ came: index });
    if (place.mayBeOvertaken) await places.confirm(requestId, 1);
    if (serveBetween.has(index)) await serve();
  }
  while (await serve());
  await queue.close();
  return steps;
}

/** Queues all of them, then serves all. @returns their numbers in the order of service */
async function served(requests: readonly Sent[]): Promise<number[]> {
  return (await course(requests)).flatMap((step) => ('served' in step ? [step.served] : []));
}

const own = (costTokens: number, priorityClass: PriorityClass): Sent => ({
  tenantId: 'own',
  costTokens,
  priorityClass,
});

const requests = fc.array(
  fc.record({
    tenantId: fc.constantFrom('own', 'other'),
    priorityClass: fc.constantFrom(...PRIORITY_CLASSES),
    costTokens: fc.integer({ min: UNIT_TOKENS, max: 3_000 }),
  }),
  { minLength: 2, maxLength: 25 },
);

describe('priority classes', () => {
  it('put a tenant’s own requests in order, first come first served within a class', async () => {
    const sent = [
      own(100, 'low'),
      own(300, 'normal'),
      own(50, 'high'),
      own(70, 'low'),
      own(90, 'high'),
      own(40, 'normal'),
    ];
    expect(await served(sent)).toEqual([2, 4, 1, 5, 0, 3]);
  });

  it('order any tenant’s own requests, whatever others queue', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (sent) => {
        const order = await served(sent);
        expect(order).toHaveLength(sent.length);
        for (const tenant of ['own', 'other']) {
          const classes = order
            .filter((index) => sent[index]!.tenantId === tenant)
            .map((index) => PRIORITY_CLASSES.indexOf(sent[index]!.priorityClass));
          expect(classes).toEqual(classes.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('changes nothing for another tenant: it is served as early as beside requests without classes', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (sent) => {
        const plain = sent.map((request) => ({ ...request, priorityClass: 'normal' as const }));
        // The other tenant's classes stay as they are in both runs: they are its own business.
        const mixed = sent.map((request) =>
          request.tenantId === 'own' ? request : { ...request, priorityClass: 'normal' as const },
        );
        const [withClasses, without] = [await served(mixed), await served(plain)];
        const largest = Math.max(...sent.map(({ costTokens }) => costTokens));
        const others = (order: readonly number[]) => order.filter((index) => sent[index]!.tenantId === 'other');
        expect(others(withClasses)).toEqual(others(without));
        const ownServedBefore = (order: readonly number[], other: number) =>
          order
            .slice(0, order.indexOf(other))
            .filter((index) => sent[index]!.tenantId === 'own')
            .reduce((sum, index) => sum + sent[index]!.costTokens, 0);
        for (const other of others(withClasses)) {
          const ahead = ownServedBefore(withClasses, other);
          const aheadWithout = ownServedBefore(without, other);
          // Whole requests are served, so which one is in hand when the other's turn comes may differ.
          expect(ahead).toBeLessThanOrEqual(aheadWithout + largest + 2 * UNIT_TOKENS);
        }
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  // Which requests have been served when another comes depends on classes, and with it the virtual time. What holds then is
  // the bound of start-time fair queueing: as much as the other tenant has before it, and a request of each.
  it('keep the bound for another tenant whose requests come while others are served', async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.uniqueArray(fc.nat(24), { maxLength: 12 }), async (sent, between) => {
        const steps = await course(sent, new Set(between));
        const largestOf = (tenant: Sent['tenantId']) =>
          Math.max(0, ...sent.filter(({ tenantId }) => tenantId === tenant).map(({ costTokens }) => costTokens));
        const rounding = 2 * UNIT_TOKENS;
        const servedAt = (index: number) => steps.findIndex((step) => 'served' in step && step.served === index);
        for (const [came, step] of steps.entries()) {
          if (!('came' in step) || sent[step.came]!.tenantId !== 'other') continue;
          expect(servedAt(step.came)).toBeGreaterThan(came);
          const wait = steps.slice(came, servedAt(step.came));
          const tokensOf = (tenant: Sent['tenantId']) =>
            wait
              .flatMap((each) => ('served' in each ? [sent[each.served]!] : []))
              .filter(({ tenantId }) => tenantId === tenant)
              .reduce((sum, { costTokens }) => sum + costTokens, 0);
          expect(tokensOf('own')).toBeLessThanOrEqual(
            tokensOf('other') + largestOf('own') + largestOf('other') + rounding,
          );
        }
      }),
      { numRuns: 15 },
    );
  }, 60_000);
});
