/** The certificates or the key of the relay can not be used; found before anything is opened. */
export class RelayTlsError extends Error {
  readonly code = 'relay_tls';

  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      `The relay's certificates can not be used: ${reason}. Check MILLRACE_RELAY_CERT, MILLRACE_RELAY_KEY and ` +
        'MILLRACE_RELAY_CA: PEM, the certificate first and then its chain, and the key that belongs to it.',
      { cause },
    );
    this.name = 'RelayTlsError';
  }
}
