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
  return COLUMNS.map((column) => csvField(String(entry[column]))).join(',');
}

export function ledgerJsonLine(entry: LedgerEntry): string {
  return JSON.stringify(Object.fromEntries(COLUMNS.map((column) => [column, entry[column]])));
}

/** A spreadsheet would run a field that begins with one of =+-@ as a formula, so those are quoted as text. */
function csvField(text: string): string {
  const inert = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
