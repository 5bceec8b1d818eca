import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { METRICS } from '#observability';
import { ALERTS } from './alerts.ts';
import { DASHBOARDS } from './dashboards.ts';
import { generatedFiles } from './generated-files.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const queries = [
  ...ALERTS.map(({ signal }) => signal),
  ...DASHBOARDS.flatMap(({ panels }) => panels.flatMap(({ targets }) => targets.map(({ query }) => query))),
];

describe('dashboards and rules', () => {
  it('are what their definitions say (else run tools/observability/write-dashboards.ts)', () => {
    for (const [path, text] of generatedFiles()) expect(readFileSync(`${repository}${path}`, 'utf8'), path).toBe(text);
    const dashboards = readdirSync(`${repository}observability/dashboards`).filter((name) => name.endsWith('.json'));
    expect(dashboards.sort()).toEqual(DASHBOARDS.map(({ id }) => `${id}.json`).sort());
  });

  it('ask for metrics that exist only, and every metric is shown somewhere', () => {
    const asked = new Set(queries.flatMap((query) => query.match(/millrace:[a-z0-9_]+/g) ?? []));
    const shown = new Set([...asked].map((name) => name.replace(/_(bucket|sum|count)$/, '')));
    const names = Object.values(METRICS).map(({ name }) => name);
    expect([...shown].filter((name) => !names.includes(name))).toEqual([]);
    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  });

  it('have a page for every alert, and none for what is no alert', () => {
    for (const { name } of ALERTS) {
      const page = `${repository}docs/operations/runbooks/${name}.md`;
      expect(existsSync(page), page).toBe(true);
    }
    const pages = readdirSync(`${repository}docs/operations/runbooks`).filter((name) => name !== 'README.md');
    expect(pages.sort()).toEqual(ALERTS.map(({ name }) => `${name}.md`).sort());
  });

  // Where there is no promtool the e2e tier's check of the queries has to do.
  const promtool = spawnSync('promtool', ['--version']).status === 0 ? it : () => {};
  promtool('are rules that promtool takes', () => {
    const { status, stderr } = spawnSync(
      'promtool',
      ['check', 'rules', `${repository}observability/rules/millrace.yaml`],
      {
        encoding: 'utf8',
      },
    );
    expect([status, stderr]).toEqual([0, '']);
  });
});
