/** As much work waits in a line as may, and this was the newest of the tenant that has most of it. */
export class NoPlaceError extends Error {
  constructor() {
    super('too much work is waiting');
  }
}
