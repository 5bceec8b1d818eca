import type { Command } from 'commander';
import { CliSettings, readSettings } from '#config';
import { AdminClient } from './admin-client.ts';

interface Flags {
  readonly from?: string;
  readonly to?: string;
  readonly by: string;
  readonly format: string;
}

/** `millrace tenants usage`: what one tenant used, or all of them, for people, programs and spreadsheets. */
export function addUsageCommand(tenants: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  tenants
    .command('usage [tenant]')
    .description('by UTC day and model; of all tenants, removed ones too, when none is named')
    .option('--from <date>', 'first day, YYYY-MM-DD; 30 days before the last when left out')
    .option('--to <date>', 'last day, YYYY-MM-DD; today when left out')
    .option('--by <what>', 'model, or key for each key of a tenant apart', 'model')
    .option('--format <format>', 'json, jsonl or csv', 'json')
    .action((tenant: string | undefined, flags: Flags) => finish(() => showUsage(tenant, flags)));
}

async function showUsage(tenant: string | undefined, flags: Flags): Promise<number> {
  const client = new AdminClient(readSettings(CliSettings));
  const path = tenant === undefined ? 'usage' : `tenants/${encodeURIComponent(tenant)}/usage`;
  const text = await client.text(`${path}?${new URLSearchParams({ ...flags })}`);
  process.stdout.write(flags.format === 'json' ? `${JSON.stringify(JSON.parse(text), null, 2)}\n` : text);
  return 0;
}
