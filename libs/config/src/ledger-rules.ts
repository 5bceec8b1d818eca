import type { z } from 'zod';

interface WebhookSettings {
  readonly MILLRACE_LEDGER_WEBHOOK_URL?: string | undefined;
  readonly MILLRACE_LEDGER_WEBHOOK_SECRET?: string | undefined;
}

/** Who receives entries must be able to tell that they are ours, so none are sent unsigned. */
export function checkLedgerWebhook(settings: WebhookSettings, context: z.RefinementCtx): void {
  if (settings.MILLRACE_LEDGER_WEBHOOK_URL === undefined || settings.MILLRACE_LEDGER_WEBHOOK_SECRET !== undefined)
    return;
  context.addIssue({
    code: 'custom',
    path: ['MILLRACE_LEDGER_WEBHOOK_SECRET'],
    message:
      'deliveries to MILLRACE_LEDGER_WEBHOOK_URL are signed with it; set it to a random text of 16 characters or more',
  });
}
