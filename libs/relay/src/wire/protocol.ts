/** Raised when a peer of the previous version could misread a frame; both sides refuse any other version. */
export const PROTOCOL_VERSION = 2;

/** Largest message either side takes. A step of 1,024 sequences with 20 alternatives per token stays below it. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
