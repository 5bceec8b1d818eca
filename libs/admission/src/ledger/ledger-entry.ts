import { creditsOf } from '../credits/credits.ts';

/** One line of a tenant's ledger. */
export interface LedgerEntry {
  /** Position in the tenant's stream, which makes exports resumable. */
  readonly entryId: string;
  readonly tenantId: string;
  readonly kind: 'usage' | 'grant';
  /** For a grant, its grant id. */
  readonly requestId: string;
  /** Unix time in ms. */
  readonly atMs: number;
  /** `completed`, `cancelled`, `failed`, or `expired` when its replica died; empty for a grant. */
  readonly outcome: string;
  readonly model: string;
  readonly keyId: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly credits: number;
}

/** From the flat field list of a stream's entry. */
export function ledgerEntryOf(tenantId: string, entryId: string, fields: readonly string[]): LedgerEntry {
  const values = new Map<string, string>();
  for (let index = 0; index + 1 < fields.length; index += 2) values.set(fields[index] ?? '', fields[index + 1] ?? '');
  const text = (name: string) => values.get(name) ?? '';
  const count = (name: string) => Number(values.get(name) ?? 0);
  return {
    entryId,
    tenantId,
    kind: text('kind') === 'grant' ? 'grant' : 'usage',
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
