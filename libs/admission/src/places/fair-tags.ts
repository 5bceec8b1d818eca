/** BullMQ's highest priority number. */
export const HIGHEST_PRIORITY = 2 ** 21 - 1;
/** Tokens of virtual time per step of priority: 2^21 steps reach 33 million weighted tokens ahead. */
export const UNIT_TOKENS = 16;
/** Virtual time may go this far from its base before priorities are made anew: half of BullMQ's range. */
export const REBASE_TOKENS = 2 ** 20 * UNIT_TOKENS;
