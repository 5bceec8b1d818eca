/** A worker's stream to an API replica could not be opened or broke. */
export class RelayStreamError extends Error {
  readonly address: string;

  constructor(address: string, why: string, cause?: unknown) {
    super(`Relay stream to ${address}: ${why}`, cause === undefined ? undefined : { cause });
    this.name = 'RelayStreamError';
    this.address = address;
  }
}
