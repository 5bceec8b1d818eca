import { benchProvider } from '../gpu-provider.ts';
import type { Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';
import type { Agreement } from '../sides/agreement.ts';

/** Those that test/model/half-precision.spec.ts holds to the same. */
const FIXTURES = ['tiny-llama', 'tiny-qwen3', 'tiny-mha'];
/** With weights of 4 and 8 bits, some with activations in float16: a product that is wrong on a device shows here. */
const QUANTIZED = ['llama-builder-int4', 'llama-builder-int8', 'llama-builder-int4-fp16', 'qwen2-builder-int4'];
/** What must agree: every token in float32, in float16 nearly all. The CPU rounds the activations of quantized products, devices do not. */
const LEAST_PERCENT = { float32: 100, float16: 99, 'as-exported': null } as const;

/**
 * How often the provider's best token is that of float32 on the CPU, given the same text, over the fixtures' references: in float32, and with
 * weights, cache and logits in float16.
 */
export async function gpuAgreementSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const provider = benchProvider();
  await using side = await Side.start('agreement.ts', { provider });
  const rows: Row[] = [];
  for (const type of ['float32', 'float16', 'as-exported'] as const) {
    const models = type === 'as-exported' ? QUANTIZED : FIXTURES;
    const than = type === 'as-exported' ? 'as the CPU has it' : `of ${type} as on the CPU in float32`;
    const least = LEAST_PERCENT[type];
    const all: Agreement = { positions: 0, agreed: 0 };
    const missing: string[] = [];
    for (const fixture of models) {
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
      name: `${provider}, best token ${than}: ${all.agreed} of ${all.positions} positions of ${models.join(', ')}${notRun}`,
      value,
      unit: '%',
      peer: null,
      peerValue: null,
      ratio: null,
      target: least === null ? null : `>= ${least} %`,
      holds: least === null ? null : missing.length === 0 && value >= least,
    });
  }
  return rows;
}
