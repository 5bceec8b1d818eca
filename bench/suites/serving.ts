import { fileURLToPath } from 'node:url';
import { median, quantile } from '../report/statistics.ts';
import { limitRow, type Row, ratioRow } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { ServingGaps } from '../sides/serving-gaps.ts';

const STREAMS = [1, 8];
const PROMPT_TOKENS = 4_096;
const MIB = 1024 * 1024;

/** Chunks in parts with decode runs between them, as workers compute them, and whole. */
const PARTS = [6, 1];

/** The time between tokens of running answers while prompts of 4,096 tokens are computed from their first to their last token, and peak memory. */
export async function servingSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const modelFolder = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
  const size = { slots: 33, slotTokens: 8_192, kvTokens: 32 * 512 + 8_192, prefixCacheBytes: 128 * MIB };
  const steps = quick ? 60 : 100;
  const promptTokens = quick ? 1_024 : PROMPT_TOKENS;

  await using sides = new AsyncDisposableStack();
  const forms: { name: string; held: boolean; side: Side; last?: ServingGaps }[] = [];
  for (const prefillParts of PARTS) {
    const settings = { modelFolder, ...size, decodeStretch: 3, prefillParts };
    const name = prefillParts === 1 ? ', whole chunks' : '';
    forms.push({ name, held: prefillParts !== 1, side: sides.use(await Side.start('serving-gaps.ts', settings)) });
  }
  const rows: Row[] = [];
  for (const streams of STREAMS) {
    for (const form of forms) {
      form.last = await form.side.measure<ServingGaps>({ streams, steps, promptTokens });
      rows.push(
        ...rowsOf(form.last, `${streams} ${streams === 1 ? 'stream' : 'streams'}${form.name}`, promptTokens, form.held),
      );
    }
  }
  for (const { name, last } of forms) {
    if (last === undefined) continue;
    const limit = (last.weightBytes * 1.3 + last.kvBytes) / MIB + 250;
    rows.push(limitRow(`peak memory of the engine process${name}`, last.peakBytes / MIB, 'MiB', Math.round(limit)));
  }
  return rows;
}

function rowsOf(measured: ServingGaps, streams: string, promptTokens: number, held: boolean): Row[] {
  const { aloneMs, besideMs, lastQuarterMs, prefillTokensPerSecond } = measured;
  const during = `${streams}, while prompts of ${promptTokens} tokens arrive (${prefillTokensPerSecond.toFixed(0)} prompt tokens/s)`;
  const end = `${streams}, during a prompt's last ${promptTokens / 4} tokens`;
  const p99 = (gaps: readonly number[]) => quantile(gaps, 0.99);
  return [
    ratioRow(`inter-token p99, ${during}`, p99(besideMs), 'ms', 'without them', p99(aloneMs), held ? 3 : undefined),
    ratioRow(`inter-token median, ${during}`, median(besideMs), 'ms', 'without them', median(aloneMs)),
    ratioRow(`inter-token median, ${end}`, median(lastQuarterMs), 'ms', 'without them', median(aloneMs)),
  ];
}
