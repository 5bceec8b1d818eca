import type { ExecutionProvider } from '#contracts';

/** An execution provider that was asked for does not work on this machine; the message says why and what helps. */
export class ProviderUnavailableError extends Error {
  readonly code = 'provider_unavailable';
  readonly provider: ExecutionProvider;

  constructor(provider: ExecutionProvider, problem: string, options: { cause?: unknown } = {}) {
    super(`execution provider "${provider}": ${problem}`, options);
    this.name = 'ProviderUnavailableError';
    this.provider = provider;
  }
}
