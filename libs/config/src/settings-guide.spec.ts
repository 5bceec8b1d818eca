import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ApiSettings, UpSettings, WorkerSettings } from './settings.ts';
import { SETTING_NAMES } from './unknown-settings.ts';

interface Row {
  readonly name: string;
  /** Cell of the defaults of all names of the row. */
  readonly defaults: string;
  readonly index: number;
}

const tables = globSync('docs/**/*.md').flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/^\| variable \| default \| meaning \|\n(?:\|.*\n?)+/gm)].map(
    ([table]) => table,
  ),
);
const rows: Row[] = tables.flatMap((table) =>
  [...table.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) \| (.*?) \|/gm)].flatMap(([, names = '', defaults = '']) =>
    [...names.matchAll(/`([A-Z_]+)`/g)].map(([, name = ''], index) => ({ name, defaults, index })),
  ),
);

describe('the tables of variables in docs/', () => {
  it('have every setting once, and nothing that nobody reads', () => {
    expect(rows.map(({ name }) => name).sort()).toEqual([...SETTING_NAMES].sort());
  });

  it('tell the defaults that settings have', () => {
    let compared = 0;
    for (const { name, defaults, index } of rows) {
      const told = [...defaults.matchAll(/`([^`]*)`/g)].map(([, value]) => value);
      const fields = [ApiSettings, WorkerSettings, UpSettings].map(({ shape }) => (shape as Shape)[name]);
      const has = fields.map((field) => field?.safeParse(undefined).data).find((value) => value !== undefined);
      if (told[index] === undefined || !['string', 'number', 'boolean'].includes(typeof has)) continue;
      expect([name, told[index]]).toEqual([name, String(has)]);
      compared += 1;
    }
    expect(compared).toBeGreaterThan(30);
  });
});

type Shape = Readonly<Record<string, { safeParse: (value: unknown) => { data?: unknown } }>>;
