/**
 * Raised when a peer of the previous version could misread a frame. Both sides speak this version and the one before:
 * the worker says hello in the newest and, when refused, in the oldest; the replica answers in the worker's.
 */
export const PROTOCOL_VERSION = 2;
export const OLDEST_PROTOCOL_VERSION = 1;
/** From this version on a grant tells what was delivered; an older worker would begin anew. */
export const RESUME_VERSION = 2;

export function isSpoken(version: number): boolean {
  return version >= OLDEST_PROTOCOL_VERSION && version <= PROTOCOL_VERSION;
}

/** Largest message either side takes. A step of 1,024 sequences with 20 alternatives per token stays below it. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
