export interface ReadinessReport {
  readonly status: 'ready' | 'not_ready';
  /** By name of the check: `ok`, or what is wrong. */
  readonly checks: Readonly<Record<string, string>>;
}

/** Why something is not ready; null when it is. */
export type ReadinessCheck = () => Promise<string | null> | string | null;

/** Says whether this replica should get requests. A full queue or a missing worker is no reason to say no. */
export class Readiness {
  readonly #checks: Readonly<Record<string, ReadinessCheck>>;

  constructor(checks: Readonly<Record<string, ReadinessCheck>>) {
    this.#checks = checks;
  }

  async report(): Promise<ReadinessReport> {
    const results = await Promise.all(
      Object.entries(this.#checks).map(async ([name, check]) => {
        const problem = await Promise.resolve(check()).catch((error: unknown) => String(error));
        return [name, problem] as const;
      }),
    );
    return {
      status: results.every(([, problem]) => problem === null) ? 'ready' : 'not_ready',
      checks: Object.fromEntries(results.map(([name, problem]) => [name, problem ?? 'ok'])),
    };
  }
}
