import { benchProvider } from '../gpu-provider.ts';
import type { Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { Agreement } from '../sides/agreement.ts';

/** Those that test/model/half-precision.spec.ts holds to the same. */
const FIXTURES = ['tiny-llama', 'tiny-qwen3', 'tiny-mha'];
/** What must agree: every token in float32, in float16 nearly all. */
const LEAST_PERCENT = { float32: 100, float16: 99 } as const;

/**
 * How often the provider's best token is that of float32 on the CPU, given the same text, over the fixtures' references: in float32, and with
 * weights, cache and logits in float16.
 */
export async function gpuAgreementSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const provider = benchProvider();
  await using side = await Side.start('agreement.ts', { provider });
  const rows: Row[] = [];
  for (const type of ['float32', 'float16'] as const) {
    const all: Agreement = { positions: 0, agreed: 0 };
    const missing: string[] = [];
    for (const fixture of FIXTURES) {
      try {
        const { positions, agreed } = await side.measure<Agreement>({ fixture, type, answerTokens: quick ? 4 : 24 });
        all.positions += positions;
        all.agreed += agreed;
      } catch (error) {
        missing.push(`${fixture}: ${(error as Error).message.split('\n', 1)[0]}`);
      }
    }
    const value = (all.agreed / Math.max(1, all.positions)) * 100;
    const notRun = missing.length === 0 ? '' : ` (not run: ${missing.join('; ')})`;
    rows.push({
      name: `${provider}, best token of ${type} as on the CPU in float32: ${all.agreed} of ${all.positions} positions of ${FIXTURES.join(', ')}${notRun}`,
      value,
      unit: '%',
      peer: null,
      peerValue: null,
      ratio: null,
      target: `>= ${LEAST_PERCENT[type]} %`,
      holds: missing.length === 0 && value >= LEAST_PERCENT[type],
    });
  }
  return rows;
}
