import { closeSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { LedgerEntry } from '#admission';
import { CliSettings, readSettings } from '#config';
import { StartError } from '../start-error.ts';
import { AdminClient } from './admin-client.ts';
import { allPages } from './all-pages.ts';

interface Flags {
  readonly group: string;
  readonly format: string;
  readonly tenant?: string;
}

const BATCH = 1_000;

/** `millrace ledger export`: what a group has not exported yet, appended to a file and then confirmed. */
export function addLedgerCommand(program: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  program
    .command('ledger')
    .description('what was used and granted, through a running API (MILLRACE_URL)')
    .command('export <file>')
    .description('appends what the group has not exported yet; an entry may come twice when a run is cut off')
    .option('--group <name>', 'who exports; each group gets every entry', 'billing')
    .option('--format <format>', 'csv or jsonl', 'csv')
    .option('--tenant <tenant>', 'only this one; all, removed ones too, when left out')
    .action((file: string, flags: Flags) => finish(() => exportLedger(file, flags)));
}

async function exportLedger(file: string, { group, format, tenant }: Flags): Promise<number> {
  if (format !== 'csv' && format !== 'jsonl') throw new StartError(`--format is "${format}"; give csv or jsonl.`);
  // The database's client is loaded with it, which takes longer than most commands take.
  const { LEDGER_CSV_HEADER, ledgerCsvLine, ledgerJsonLine } = await import('#admission');
  const client = new AdminClient(readSettings(CliSettings));
  const tenants = tenant === undefined ? await tenantIds(client) : [tenant];
  const descriptor = openSync(file, 'a', 0o600);
  let exported = 0;
  try {
    if (format === 'csv' && statSync(file).size === 0) writeSync(descriptor, `${LEDGER_CSV_HEADER}\n`);
    for (const tenantId of tenants) {
      const path = `tenants/${encodeURIComponent(tenantId)}/ledger/${encodeURIComponent(group)}`;
      for (;;) {
        const body = { member: hostname(), count: BATCH };
        const { entries } = (await client.call('POST', `${path}/read`, body)) as { entries: LedgerEntry[] };
        if (entries.length === 0) break;
        const line = format === 'csv' ? ledgerCsvLine : ledgerJsonLine;
        writeSync(descriptor, entries.map((entry) => `${line(entry)}\n`).join(''));
        // Confirmed is only what can not be lost any more.
        fsyncSync(descriptor);
        await client.call('POST', `${path}/confirm`, { entryIds: entries.map(({ entryId }) => entryId) });
        exported += entries.length;
      }
    }
  } finally {
    closeSync(descriptor);
  }
  console.log(JSON.stringify({ exported }));
  return 0;
}

async function tenantIds(client: AdminClient): Promise<string[]> {
  const pages = await allPages((method, path) => client.call(method, path), 'tenants', 'tenants', 'id');
  const { tenants, unlisted = [] } = pages as unknown as {
    tenants: { id: string }[];
    unlisted?: string[];
  };
  return [...tenants.map(({ id }) => id), ...unlisted];
}
