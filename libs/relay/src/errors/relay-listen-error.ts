/** The relay server could not take its port. */
export class RelayListenError extends Error {
  constructor(host: string, port: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`The relay could not listen on ${host}:${port}: ${why}. Set MILLRACE_RELAY_HOST or MILLRACE_RELAY_PORT.`, {
      cause,
    });
    this.name = 'RelayListenError';
  }
}
