import { creditsOf } from '../credits/credits.ts';

/** One line of a tenant's ledger. */
export interface LedgerEntry {
  /** Position in the tenant's stream, which makes exports resumable. */
  readonly entryId: string;
  readonly tenantId: string;
  /** `renewal` and `expiry` are an allowance's: what it gave, and what of it ended unused. */
  readonly kind: 'usage' | 'grant' | 'renewal' | 'expiry';
  /**
   * For a grant, its grant id; for a renewal or an expiry its period, as `month:2026-11-01`, or the request whose hold came
   * back after its period.
   */
  readonly requestId: string;
  /** Unix time in ms. */
  readonly atMs: number;
  /** `completed`, `cancelled`, `failed`, or `expired` when its replica died; empty for all but usage. */
  readonly outcome: string;
  readonly model: string;
  readonly keyId: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** What was charged; for other kinds what came to the balance, below zero what went. */
  readonly credits: number;
}

/** Stored as grants with a mark, which releases that know no allowances add up rightly. */
const KINDS: Readonly<Record<string, LedgerEntry['kind']>> = { renewal: 'renewal', expiry: 'expiry' };

/** From the flat field list of a stream's entry. */
export function ledgerEntryOf(tenantId: string, entryId: string, fields: readonly string[]): LedgerEntry {
  const values = new Map<string, string>();
  for (let index = 0; index + 1 < fields.length; index += 2) values.set(fields[index] ?? '', fields[index + 1] ?? '');
  const text = (name: string) => values.get(name) ?? '';
  const count = (name: string) => Number(values.get(name) ?? 0);
  return {
    entryId,
    tenantId,
    kind: text('kind') === 'grant' ? (KINDS[text('allowance')] ?? 'grant') : 'usage',
    requestId: text('requestId'),
    atMs: count('atMs'),
    outcome: text('outcome'),
    model: text('model'),
    keyId: text('keyId'),
    promptTokens: count('promptTokens'),
    cachedTokens: count('cachedTokens'),
    completionTokens: count('completionTokens'),
    credits: creditsOf(count('microcredits')),
  };
}
