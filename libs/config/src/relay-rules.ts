import type { z } from 'zod';

interface RelayCredentials {
  readonly MILLRACE_RELAY_TOKEN?: string | undefined;
  readonly MILLRACE_RELAY_CERT?: string | undefined;
  readonly MILLRACE_RELAY_KEY?: string | undefined;
  readonly MILLRACE_RELAY_CA?: string | undefined;
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;

/** Who reaches the relay's port could take other people's answers, so off loopback workers have to prove who they are. */
export function checkRelayOfApi(
  settings: RelayCredentials & { readonly MILLRACE_RELAY_HOST: string },
  context: z.RefinementCtx,
): void {
  const { MILLRACE_RELAY_HOST: host } = settings;
  checkPair(settings, context);
  if (settings.MILLRACE_RELAY_CA !== undefined && settings.MILLRACE_RELAY_CERT === undefined) {
    report(
      context,
      'MILLRACE_RELAY_CERT',
      'a relay that asks workers for certificates (MILLRACE_RELAY_CA) needs its own',
    );
  }
  const provesWorkers = settings.MILLRACE_RELAY_TOKEN !== undefined || settings.MILLRACE_RELAY_CA !== undefined;
  if (LOOPBACK.test(host) || provesWorkers) return;
  const remedy = 'set it to a random text of 16 characters or more, the same for all workers, or set MILLRACE_RELAY_CA';
  report(context, 'MILLRACE_RELAY_TOKEN', `the relay listens on ${host}, where anybody could attach; ${remedy}`);
}

export function checkRelayOfWorker(settings: RelayCredentials, context: z.RefinementCtx): void {
  checkPair(settings, context);
  if (settings.MILLRACE_RELAY_CERT !== undefined && settings.MILLRACE_RELAY_CA === undefined) {
    const remedy = 'set it to the authority of the relay, or unset MILLRACE_RELAY_CERT and MILLRACE_RELAY_KEY';
    report(
      context,
      'MILLRACE_RELAY_CA',
      `a worker with a certificate speaks TLS and has to know the relay's; ${remedy}`,
    );
  }
}

function checkPair(settings: RelayCredentials, context: z.RefinementCtx): void {
  const { MILLRACE_RELAY_CERT: certificate, MILLRACE_RELAY_KEY: key } = settings;
  if (certificate !== undefined && key === undefined) {
    report(context, 'MILLRACE_RELAY_KEY', 'MILLRACE_RELAY_CERT is set; set the key that belongs to it');
  } else if (certificate === undefined && key !== undefined) {
    report(context, 'MILLRACE_RELAY_CERT', 'MILLRACE_RELAY_KEY is set; set the certificate that belongs to it');
  }
}

function report(context: z.RefinementCtx, name: string, message: string): void {
  context.addIssue({ code: 'custom', path: [name], message });
}
