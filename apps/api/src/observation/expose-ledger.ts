import { ledgerLag } from '#admission';
import { METRICS, type Metrics } from '#observability';

/** The ledgers of all tenants are asked at most this often. */
const READ_EVERY_MS = 2_000;

/** Shows how far exports are behind. */
export function exposeLedger(metrics: Metrics, redis: Parameters<typeof ledgerLag>[0]): void {
  const family = metrics.family(METRICS.ledgerLag);
  let readAtMs = Number.NEGATIVE_INFINITY;
  metrics.beforeScrape('ledger', async () => {
    if (performance.now() - readAtMs < READ_EVERY_MS) return;
    const lag = await ledgerLag(redis);
    readAtMs = performance.now();
    family.clear();
    for (const [group, entries] of lag) family.child({ group }).set(entries);
  });
}
