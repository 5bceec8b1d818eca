import { warmUpRelay } from '#relay';
import { DIALECTS } from '../dialects/dialects.ts';

const RELAY_ROUNDS = 2;
/** What every dialect takes. */
export const QUESTION = { model: 'none', messages: [{ role: 'user', content: 'Is anybody there?' }], max_tokens: 8 };

/** Runs the code that the first client of a replica would wait for: reads a body of each dialect, and an answer from a relay of its own. */
export async function warmUpRequests(): Promise<void> {
  for (const dialect of DIALECTS) dialect.parse(QUESTION);
  await warmUpRelay(RELAY_ROUNDS);
}
