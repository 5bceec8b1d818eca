import { csvLine } from './csv.ts';
import type { LedgerEntry } from './ledger-entry.ts';

const COLUMNS = [
  'entryId',
  'tenantId',
  'kind',
  'requestId',
  'atMs',
  'outcome',
  'model',
  'keyId',
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'credits',
] as const satisfies readonly (keyof LedgerEntry)[];

/** First line of a CSV export (RFC 4180). */
export const LEDGER_CSV_HEADER = COLUMNS.join(',');

export function ledgerCsvLine(entry: LedgerEntry): string {
  return csvLine(COLUMNS.map((column) => entry[column]));
}

export function ledgerJsonLine(entry: LedgerEntry): string {
  return JSON.stringify(Object.fromEntries(COLUMNS.map((column) => [column, entry[column]])));
}
