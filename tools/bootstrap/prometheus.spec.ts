import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// Plain JavaScript without declarations, as all of the bootstrap.
const { withPrometheus } = await import(new URL('./prometheus.mjs', import.meta.url).href);

let folder: string;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-bootstrap-'));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const asked = (env: Record<string, string>) =>
  withPrometheus(env, { state: join(folder, 'state'), report: (line: string) => said.push(line) });

describe('withPrometheus', () => {
  it('takes the one on PATH, and says nothing', async () => {
    writeFileSync(join(folder, 'prometheus'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    const env = { PATH: folder };
    expect(await asked(env)).toBe(env);
    expect(said).toEqual([]);
  });

  it('lets the tests go on without one where none can be had, and says why', async () => {
    const env = { PATH: folder };
    expect(await asked(env)).toBe(env);
    expect(said.at(-1)).toMatch(/^There is no Prometheus \(.+\): dashboards and alerts are checked without one\.$/);
  });
});
