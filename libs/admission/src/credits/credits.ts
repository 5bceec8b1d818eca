/** Balances are integers of microcredits, which doubles and Lua hold exactly up to nine thousand million credits. */
const MICROCREDITS_PER_CREDIT = 1_000_000;

export const microcreditsOf = (credits: number) => Math.round(credits * MICROCREDITS_PER_CREDIT);
export const creditsOf = (microcredits: number) => microcredits / MICROCREDITS_PER_CREDIT;
