/** A download that did not work out: what was asked for, what happened, and the remedy. */
export class HubError extends Error {
  constructor(what: string, problem: string, remedy: string, options: { cause?: unknown } = {}) {
    super(`${what}: ${problem}. Remedy: ${remedy}`, options);
    this.name = new.target.name;
  }
}

/** Worth another try: the connection broke, or the hub is busy. */
export class TransientHubError extends HubError {}
