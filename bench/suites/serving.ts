import { fileURLToPath } from 'node:url';
import { median, quantile } from '../report/statistics.ts';
import { limitRow, type Row, ratioRow } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { ServingGaps } from '../sides/serving-gaps.ts';

const STREAMS = [1, 8];
const PROMPT_TOKENS = 4_096;
const MIB = 1024 * 1024;

/** The time between tokens of running answers while prompts of 4,096 tokens are computed from their first to their last token, and peak memory. */
export async function servingSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const modelFolder = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
  const size = { slots: 33, slotTokens: 8_192, kvTokens: 32 * 512 + 8_192, prefixCacheBytes: 128 * MIB };
  await using side = await Side.start('serving-gaps.ts', { modelFolder, ...size, decodeStretch: 3 });
  const rounds = quick ? 1 : 3;
  const steps = quick ? 60 : 100;

  const rows: Row[] = [];
  let last: ServingGaps | undefined;
  for (const streams of STREAMS) {
    const [alone, beside, end, speed]: number[][] = [[], [], [], []];
    for (let round = 0; round < rounds; round++) {
      last = await side.measure<ServingGaps>({ streams, steps, promptTokens: PROMPT_TOKENS });
      alone.push(...last.aloneMs);
      beside.push(...last.besideMs);
      end.push(...last.lastQuarterMs);
      speed.push(last.prefillTokensPerSecond);
    }
    const during = `${streams} streams, while prompts of ${PROMPT_TOKENS} tokens arrive (${median(speed).toFixed(0)} prompt tokens/s)`;
    const p99 = (gaps: readonly number[]) => quantile(gaps, 0.99);
    rows.push(ratioRow(`inter-token p99, ${during}`, p99(beside), 'ms', 'without them', p99(alone), 3));
    rows.push(ratioRow(`inter-token median, ${during}`, median(beside), 'ms', 'without them', median(alone)));
    const lastQuarter = `${streams} streams, during a prompt's last ${PROMPT_TOKENS / 4} tokens`;
    rows.push(ratioRow(`inter-token median, ${lastQuarter}`, median(end), 'ms', 'without them', median(alone)));
  }
  if (last !== undefined) {
    const { peakBytes, weightBytes, kvBytes } = last;
    const limit = (weightBytes * 1.3 + kvBytes) / MIB + 250;
    rows.push(limitRow('peak memory of the engine process', peakBytes / MIB, 'MiB', Math.round(limit)));
  }
  return rows;
}
