/** What a tenant has on a worker. */
export interface Holding {
  readonly tenantId: string;
  /** Share relative to other tenants'. */
  readonly weight: number;
  /** Sequences that the worker has taken, whether they sit or wait. */
  readonly sequences: number;
}

/** Fractions of seats are made of divisions. */
const EPSILON = 1e-9;

/** The tenants that hold their share of a worker's slots already, or more: those with less are due the next request. */
export function tenantsWithShare(slots: number, holdings: readonly Holding[]): string[] {
  return holdings
    .filter((holding) => holding.sequences >= Math.ceil(seatShare(slots, holding, holdings) - EPSILON))
    .map(({ tenantId }) => tenantId);
}

/**
 * Slots that a tenant would have if it wanted any number and all the others what they hold: shared out by weight, and what
 * a tenant does not want shared out again among the rest (max-min fairness).
 */
function seatShare(slots: number, tenant: Holding, holdings: readonly Holding[]): number {
  const others = holdings
    .filter((other) => other !== tenant)
    .sort((a, b) => a.sequences / a.weight - b.sequences / b.weight);
  let left = slots;
  let weights = tenant.weight + others.reduce((sum, { weight }) => sum + weight, 0);
  for (const { sequences, weight } of others) {
    if (sequences / weight >= left / weights) break;
    left -= sequences;
    weights -= weight;
  }
  return (left * tenant.weight) / weights;
}
