import {
  LEDGER_CSV_HEADER,
  type LedgerEntry,
  LedgerReader,
  ledgerCsvLine,
  ledgerJsonLine,
  ledgerPage,
  TenantAccount,
  type TenantStore,
} from '#admission';
import type { TenantContext } from '../auth/tenant-context.ts';
import { LedgerConfirmBody, LedgerGroup, LedgerQuery, LedgerReadBody } from './admin-bodies.ts';
import { parseInput } from './parse-input.ts';
import { requireAdminOf, requireOperator } from './permissions.ts';
import { csvAnswer, jsonAnswer, jsonLinesAnswer, type TextAnswer } from './text-answer.ts';

type Redis = ConstructorParameters<typeof TenantStore>[0];

/** The ledgers at the admin API: pages for people, groups with confirmation for programs that bill. */
export class LedgerAdmin {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async page(caller: TenantContext, tenantId: string, query: unknown): Promise<TextAnswer> {
    requireAdminOf(caller, tenantId);
    const { after, count, format } = parseInput(LedgerQuery, query);
    await this.#renew(tenantId);
    const entries = await ledgerPage(this.#redis, tenantId, after ?? null, count);
    if (format === 'json') return jsonAnswer({ entries });
    if (format === 'jsonl') return jsonLinesAnswer(entries.map(ledgerJsonLine));
    return csvAnswer([LEDGER_CSV_HEADER, ...entries.map(ledgerCsvLine)]);
  }

  /** Operators only: a group's place in the ledger is shared by all who read as it. */
  async read(
    caller: TenantContext,
    tenantId: string,
    group: string,
    body: unknown,
  ): Promise<{ entries: LedgerEntry[] }> {
    requireOperator(caller);
    const { member, count } = parseInput(LedgerReadBody, body);
    await this.#renew(tenantId);
    return { entries: await this.#reader(group, member).read(tenantId, count) };
  }

  async confirm(caller: TenantContext, tenantId: string, group: string, body: unknown): Promise<{ confirmed: number }> {
    requireOperator(caller);
    const { entryIds } = parseInput(LedgerConfirmBody, body);
    const confirmed = await this.#reader(group, 'confirm').confirm(
      tenantId,
      entryIds.map((entryId) => ({ entryId })),
    );
    return { confirmed };
  }

  /** An allowance that is due has its entries before the ledger is read, whoever asked or did not ask meanwhile. */
  async #renew(tenantId: string): Promise<void> {
    await new TenantAccount(this.#redis, tenantId).read();
  }

  #reader(group: string, member: string): LedgerReader {
    return new LedgerReader(this.#redis, parseInput(LedgerGroup, group), member);
  }
}
