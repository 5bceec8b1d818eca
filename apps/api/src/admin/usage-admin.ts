import { csvLine, KeyStore, TenantStore, usageOf } from '#admission';
import { MillraceError } from '#contracts';
import type { TenantContext } from '../auth/tenant-context.ts';
import { UsageQuery, type UsageRow } from './admin-bodies.ts';
import { parseInput } from './parse-input.ts';
import { requireAdminOf, requireOperator } from './permissions.ts';
import { tenantsWithLedger } from './tenants-with-ledger.ts';
import { csvAnswer, jsonAnswer, jsonLinesAnswer, type TextAnswer } from './text-answer.ts';

type Redis = ConstructorParameters<typeof TenantStore>[0];

const DAY_MS = 24 * 3_600_000;
const DEFAULT_USAGE_DAYS = 30;
const MOST_USAGE_DAYS = 400;

const COLUMNS = [
  'tenantId',
  'day',
  'model',
  'keyId',
  'keyNote',
  'requests',
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'credits',
] as const satisfies readonly (keyof UsageRow)[];

/** What tenants used, by day and model or by key, at the admin API. */
export class UsageAdmin {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** @throws MillraceError permission_denied, invalid_request, unavailable */
  async ofTenant(caller: TenantContext, tenantId: string, query: unknown): Promise<TextAnswer> {
    requireAdminOf(caller, tenantId);
    return this.#answer(async () => [tenantId], query);
  }

  /** Of all tenants, removed ones too. @throws as `ofTenant` */
  async ofAll(caller: TenantContext, query: unknown): Promise<TextAnswer> {
    requireOperator(caller);
    return this.#answer(() => tenantsWithLedger(new TenantStore(this.#redis)), query);
  }

  async #answer(tenantIds: () => Promise<readonly string[]>, query: unknown): Promise<TextAnswer> {
    const { from, to, by, format } = parseInput(UsageQuery, query);
    const { fromMs, toMs } = rangeOf(from, to);
    const notes = by === 'key' ? await this.#notesOfKeys() : new Map<string, string>();
    const rows: UsageRow[] = [];
    // One after another: a month of a thousand tenants is 30,000 reads, and Redis has requests to admit meanwhile.
    for (const tenantId of await tenantIds()) {
      const usage = await usageOf(this.#redis, tenantId, fromMs, toMs, by);
      for (const row of usage) rows.push({ ...row, keyNote: notes.get(row.keyId ?? '') ?? null });
    }
    if (format === 'json') return jsonAnswer({ usage: rows });
    if (format === 'jsonl') return jsonLinesAnswer(rows.map((row) => JSON.stringify(row)));
    return csvAnswer([COLUMNS.join(','), ...rows.map((row) => csvLine(COLUMNS.map((column) => row[column])))]);
  }

  async #notesOfKeys(): Promise<Map<string, string>> {
    const keys = await new KeyStore(this.#redis).list();
    return new Map(keys.map(({ keyId, note }) => [keyId, note]));
  }
}

function rangeOf(from: string | undefined, to: string | undefined): { fromMs: number; toMs: number } {
  const toMs = to === undefined ? Date.now() : Date.parse(to);
  const fromMs = from === undefined ? toMs - (DEFAULT_USAGE_DAYS - 1) * DAY_MS : Date.parse(from);
  if (fromMs <= toMs && toMs - fromMs <= MOST_USAGE_DAYS * DAY_MS) return { fromMs, toMs };
  const message = `from must not be after to, nor more than ${MOST_USAGE_DAYS} days before it.`;
  throw new MillraceError('invalid_request', message, { param: 'from' });
}
