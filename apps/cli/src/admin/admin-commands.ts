import type { Command } from 'commander';
import { CliSettings, readSettings } from '#config';
import { StartError } from '../start-error.ts';
import { AdminClient } from './admin-client.ts';
import { allPages } from './all-pages.ts';
import { addLedgerCommand } from './ledger-command.ts';
import { numberGiven } from './number-given.ts';
import { readDocument, writeDocument } from './tenancy-file.ts';
import { addUsageCommand } from './usage-command.ts';

type Finish = (command: () => Promise<number>) => Promise<void>;
type Call = AdminClient['call'];

const segment = (text: string) => encodeURIComponent(text);

/** `millrace tenants …`, `millrace keys …` and `millrace requests …`: the admin API from the command line, answers as JSON. */
export function addAdminCommands(program: Command, finish: Finish): void {
  /** Prints what the call answers, as JSON. */
  const show = (work: (call: Call) => Promise<unknown>) =>
    finish(async () => {
      const client = new AdminClient(readSettings(CliSettings));
      const answer = await work((method, path, body) => client.call(method, path, body));
      if (answer !== undefined) console.log(JSON.stringify(answer, null, 2));
      return 0;
    });

  addLedgerCommand(program, finish);
  program
    .command('requests')
    .description('requests, through a running API (MILLRACE_URL)')
    .command('refused')
    .description('those that were not tried again because they may be what ends workers, the newest first')
    .option('--count <count>', 'at most so many', '100')
    .action(({ count }: { count: string }) =>
      show((call) => call('GET', `refused-requests?${new URLSearchParams({ count })}`)),
    );
  program
    .command('audit')
    .description('what was changed through the admin API and by which key, the newest first')
    .option('--count <count>', 'at most so many, up to 1000', '100')
    .option('--before <entry-id>', 'only what was changed before this entry')
    .action((query: Record<string, string>) => show((call) => call('GET', `audit?${new URLSearchParams(query)}`)));
  addTenantCommands(
    program.command('tenants').description('tenants, their limits and credits, through a running API (MILLRACE_URL)'),
    show,
    finish,
  );
  addKeyCommands(program.command('keys').description('API keys, through a running API (MILLRACE_URL)'), show);
}

interface PageFlags {
  readonly after?: string;
  readonly limit?: string;
}

function paged(list: Command): Command {
  return list
    .option('--limit <count>', 'one page of so many, up to 10000; all of them when left out')
    .option('--after <id>', 'the page behind this one');
}

/** One page where it is asked for, else all of them. */
function listed(call: Call, path: string, field: string, idField: string, flags: PageFlags): Promise<unknown> {
  if (Object.keys(flags).length === 0) return allPages(call, path, field, idField);
  return call('GET', `${path}?${new URLSearchParams({ ...flags })}`);
}

type Show = (work: (call: Call) => Promise<unknown>) => Promise<void>;

function addTenantCommands(tenants: Command, show: Show, finish: Finish): void {
  paged(tenants.command('list')).action((flags: PageFlags) =>
    show((call) => listed(call, 'tenants', 'tenants', 'id', flags)),
  );
  tenants
    .command('show <tenant>')
    .description('its limits, and its account in credits')
    .action((tenant: string) => show((call) => call('GET', `tenants/${segment(tenant)}`)));
  tenants
    .command('set <tenant> <json>')
    .description(`creates it, or replaces all of it, as '{"weight":2,"requestsPerMinute":600,"credits":"metered"}'`)
    .action((tenant: string, json: string) =>
      show((call) => call('PUT', `tenants/${segment(tenant)}`, parseJson(json, 'the tenant'))),
    );
  tenants
    .command('change <tenant> <json>')
    .description(
      `changes the fields that are named, as '{"allowance":{"credits":5000,"period":"month"}}', and leaves the others`,
    )
    .action((tenant: string, json: string) =>
      show((call) => call('PATCH', `tenants/${segment(tenant)}`, parseJson(json, 'the change'))),
    );
  tenants
    .command('remove <tenant>')
    .description('and its keys; what it spent stays in usage and ledger')
    .action((tenant: string) => show((call) => call('DELETE', `tenants/${segment(tenant)}`)));
  tenants
    .command('grant')
    .argument('<tenant>')
    .argument('<credits>', 'how many', numberGiven('credits'))
    .argument('<grant-id>', 'yours, as of an invoice')
    .description('adds credits; the same grant id again adds nothing')
    .action((tenant: string, credits: number, grantId: string) =>
      show((call) => call('POST', `tenants/${segment(tenant)}/grants`, { credits, grantId })),
    );
  addUsageCommand(tenants, finish);
  tenants
    .command('export [file]')
    .description('all tenants, prices and keys (as hashes) as one document; YAML where the file is called so')
    .action((file: string | undefined) =>
      show(async (call) => {
        const document = await call('GET', 'tenancy');
        if (file === undefined) return document;
        writeDocument(file, document);
        return undefined;
      }),
    );
  tenants
    .command('import <file>')
    .description('applies such a document, JSON or YAML, and prints what changed; the second time changes nothing')
    .option('--prune', 'removes tenants and keys that it does not name')
    .option('--dry-run', 'only prints what would change')
    .action((file: string, flags: { prune?: boolean; dryRun?: boolean }) =>
      show((call) => {
        const query = new URLSearchParams({
          prune: String(flags.prune === true),
          dryRun: String(flags.dryRun === true),
        });
        return call('PUT', `tenancy?${query}`, readDocument(file));
      }),
    );
}

function addKeyCommands(keys: Command, show: Show): void {
  paged(keys.command('list <tenant>')).action((tenant: string, flags: PageFlags) =>
    show((call) => listed(call, `tenants/${segment(tenant)}/keys`, 'keys', 'keyId', flags)),
  );
  keys
    .command('create <tenant>')
    .description('prints the new key, once')
    .option('--role <role>', 'tenant, admin or operator', 'tenant')
    .option('--note <text>', 'what it is for', '')
    .option('--days <days>', 'days after which it expires; never when left out', numberGiven('days'))
    .action((tenant: string, { role, note, days }: { role: string; note: string; days?: number }) =>
      show((call) =>
        call('POST', `tenants/${segment(tenant)}/keys`, {
          role,
          note,
          expiresAtMs: days === undefined ? null : inDays(days),
        }),
      ),
    );
  keys
    .command('new')
    .description('makes a key for a document of tenants, which holds only its hash; asks no API')
    .action(async () => {
      const { apiKeyHash, apiKeyPrefix, newApiKey } = await import('#admission');
      const key = newApiKey();
      console.log(JSON.stringify({ key, hash: apiKeyHash(key), prefix: apiKeyPrefix(key) }, null, 2));
    });
  keys.command('revoke <key-id>').action((keyId: string) => show((call) => call('DELETE', `keys/${segment(keyId)}`)));
  keys
    .command('rotate <key-id>')
    .description('prints the new key, once')
    .option('--overlap-minutes <minutes>', 'how long the old key stays valid', numberGiven('minutes', 'or zero'), 0)
    .option(
      '--days <days>',
      'days after which the new key expires; as long as the old one had when left out',
      numberGiven('days'),
    )
    .action((keyId: string, { overlapMinutes, days }: { overlapMinutes: number; days?: number }) =>
      show((call) =>
        call('POST', `keys/${segment(keyId)}/rotate`, {
          overlapMs: Math.round(overlapMinutes * 60_000),
          ...(days !== undefined && { expiresAtMs: inDays(days) }),
        }),
      ),
    );
}

const inDays = (days: number) => Math.round(Date.now() + days * 86_400_000);

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new StartError(`${what} is not JSON: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}
