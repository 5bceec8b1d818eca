/** The address of the ledger's webhook did not answer 2xx; the delivery is tried again. */
export class WebhookRefusedError extends Error {
  readonly code = 'webhook_refused';

  constructor(status: number, deliveryId: string) {
    super(
      `The ledger's webhook answered ${status} to the delivery ${deliveryId}, which will be repeated. Let it answer 2xx, or ` +
        'correct MILLRACE_LEDGER_WEBHOOK_URL.',
    );
    this.name = 'WebhookRefusedError';
  }
}
