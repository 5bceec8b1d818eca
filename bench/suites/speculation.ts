import { fileURLToPath } from 'node:url';
import { pairedRatioRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { SpokenAnswer } from '../sides/engine-speculation.ts';
import { SPECULATION_TASKS } from './speculation-tasks.ts';

const SPECULATION_TOKENS = 10;
const MAX_TOKENS = 256;

/** Tokens a second of one answer at a time, with proposals from its prompt, itself and what it is held to, and without. */
export async function speculationSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const modelFolder = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
  const rounds = quick ? 2 : 7;
  const settings = { modelFolder, slotTokens: 4_096, speculationTokens: SPECULATION_TOKENS };
  await using side = await Side.start('engine-speculation.ts', settings);
  const rows: Row[] = [];
  for (const { name, message, grounded, temperature = 0, constraint = null } of SPECULATION_TASKS) {
    const task = { message, maxTokens: MAX_TOKENS, temperature, constraint };
    const [verified, decoded]: [SpokenAnswer[], SpokenAnswer[]] = [[], []];
    for (let round = 0; round <= rounds; round++) {
      // In turns, and each first as often as second.
      for (const speculating of round % 2 === 0 ? [true, false] : [false, true]) {
        const answer = await side.measure<SpokenAnswer>({ ...task, speculating });
        // Round 0 warms caches and pages up.
        if (round > 0) (speculating ? verified : decoded).push(answer);
      }
    }
    const rates = (answers: readonly SpokenAnswer[]) => answers.map(({ tokens, ms }) => ((tokens - 1) * 1_000) / ms);
    const [{ promptTokens, tokens, runs, proposed, accepted }] = verified;
    const counts = `${promptTokens} + ${tokens} tokens, ${runs} runs, ${proposed} proposed, ${accepted} right`;
    // What is grounded must gain; what is not may lose a little, on machines whose speed drifts meanwhile.
    const atLeast = grounded ? 1 : 0.95;
    rows.push(pairedRatioRow(`${name} (${counts})`, rates(verified), 'tokens/s', 'decoded', rates(decoded), atLeast));
  }
  return rows;
}
