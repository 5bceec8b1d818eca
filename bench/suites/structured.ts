import { fileURLToPath } from 'node:url';
import type { OutputConstraint } from '#contracts';
import { median, relativeSpread } from '../report/statistics.ts';
import { differenceRow, pairedRatioRow, type Row } from '../report/suite-report.ts';
import { Side } from '../side.ts';

const BATCH = 8;

const RECORD = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    email: { type: 'string', format: 'email' },
    status: { enum: ['active', 'invited', 'disabled'] },
    tags: { type: 'array', items: { type: 'string' }, maxItems: 5 },
  },
  required: ['name', 'age', 'email', 'status', 'tags'],
  additionalProperties: false,
};
const BOUNDED = {
  type: 'object',
  properties: {
    text: { type: 'string', minLength: 40, maxLength: 200 },
    when: { type: 'string', format: 'date-time' },
  },
  required: ['text', 'when'],
  additionalProperties: false,
};

/** Lists that can not end within a run. */
const listOf = (items: object): OutputConstraint => ({
  type: 'json_schema',
  schema: { type: 'array', items, minItems: 64 },
  strict: true,
});
const CASES: Readonly<Record<string, OutputConstraint>> = {
  'records of strings, numbers and lists': listOf(RECORD),
  'bounded strings and times': listOf(BOUNDED),
  'text that may become a strict call': {
    type: 'tool_calls',
    format: 'hermes',
    tools: [{ name: 'add_record', parameters: RECORD, strict: true }],
    choice: 'auto',
    parallel: true,
  },
};

/** Decode tokens/s at batch 8 on the shipped model, constrained against free, and what a schema's first use costs others. */
export async function structuredSuite({ quick }: { quick: boolean }): Promise<Row[]> {
  const modelFolder = fileURLToPath(new URL('../../models/smollm2-135m-instruct', import.meta.url));
  const rounds = quick ? 2 : 9;
  const steps = quick ? 24 : 96;
  await using engine = await Side.start('structured-decode.ts', { modelFolder, slots: BATCH + 1, slotTokens: 512 });
  const rateOf = async (constraint: OutputConstraint | null): Promise<number> => {
    const stepMs = await engine.measure<number[]>({ rows: BATCH, steps, constraint });
    return (BATCH * steps * 1_000) / stepMs.reduce((sum, each) => sum + each, 0);
  };

  const rows: Row[] = [];
  for (const [name, constraint] of Object.entries(CASES)) {
    const [held, free]: [number[], number[]] = [[], []];
    for (let round = 0; round <= rounds; round++) {
      const rates = [await rateOf(constraint), await rateOf(null)];
      // Round 0 warms caches and pages up.
      if (round === 0) continue;
      held.push(rates[0]);
      free.push(rates[1]);
    }
    const spread = (Math.max(relativeSpread(held), relativeSpread(free)) * 100).toFixed(0);
    rows.push(pairedRatioRow(`${name}, batch 8 (spread ±${spread} %)`, held, 'tokens/s', 'free text', free, 0.9));
  }

  const [fresh, plain]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds + 1; round++) {
    const properties = Object.fromEntries(
      Object.entries(RECORD.properties).map(([key, schema]) => [`${key}_${round}`, schema]),
    );
    const joining = listOf({ ...RECORD, properties, required: Object.keys(properties) });
    fresh.push(Math.max(...(await engine.measure<number[]>({ rows: BATCH, steps, constraint: null, joining }))));
    plain.push(Math.max(...(await engine.measure<number[]>({ rows: BATCH, steps, constraint: null, joining: null }))));
  }
  const name = 'longest step of others when a request with a new schema joins';
  rows.push(differenceRow(name, median(fresh), 'ms', 'a free request joins', median(plain)));
  return rows;
}
