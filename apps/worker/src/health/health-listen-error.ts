/** The management port of the worker can not be opened. */
export class HealthListenError extends Error {
  readonly code = 'health_listen_failed';

  constructor(host: string, port: number, cause: Error) {
    super(
      `The worker's management port ${host}:${port} can not be opened (${cause.message}): set MILLRACE_WORKER_PORT to a free port, or to 0.`,
      { cause },
    );
    this.name = 'HealthListenError';
  }
}
