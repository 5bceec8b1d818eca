import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const repository = fileURLToPath(new URL('../../', import.meta.url));
let root: string;
let output: string;

/** A small project with the real rules and one offence of each kind. */
const files: Record<string, string> = {
  'libs/contracts/src/index.ts': "export { code } from './code.ts';",
  'libs/contracts/src/code.ts': 'export const code = 1;',
  'libs/queue/src/index.ts': "import { code } from '#contracts';\nexport const queue = code;",
  'libs/engine/src/index.ts':
    "import { code } from '#contracts';\nimport { queue } from '#queue';\nexport const engine = [code, queue];",
  'libs/engine/src/deep.ts': "import { code } from '../../contracts/src/code.ts';\nexport const deep = code;",
  'libs/engine/src/one.ts': "import { two } from './two.ts';\nexport const one = () => two;",
  'libs/engine/src/two.ts': "import { one } from './one.ts';\nexport const two = () => one;",
  'libs/relay/src/index.ts': "import { app } from '../../../apps/api/src/main.ts';\nexport const relay = app;",
  'libs/news/src/index.ts': "import { code } from '#contracts';\nexport const news = code;",
  'apps/api/src/main.ts': "import { worker } from '../../worker/src/main.ts';\nexport const app = worker;",
  'apps/cli/src/main.ts':
    "import { models } from '#models';\nexport const cli = async () => [models, await import('#engine')];",
  'libs/models/src/index.ts': "import type { code } from '#contracts';\nexport const models: typeof code | 2 = 2;",
  'apps/worker/src/main.ts':
    "import 'onnxruntime-node';\nimport { models } from '#models';\nexport const worker = models;",
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-rules-'));
  for (const name of ['package.json', 'tsconfig.json', '.dependency-cruiser.cjs'])
    cpSync(join(repository, name), join(root, name));
  symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  const program = join(repository, 'node_modules', '.bin', 'depcruise');
  const run = spawnSync(process.execPath, [program, '--config', '.dependency-cruiser.cjs', 'apps', 'libs'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  output = run.stdout + run.stderr;
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the dependency rules', () => {
  it.each([
    ['lib-direction-engine: libs/engine/src/index.ts → libs/queue/src/index.ts'],
    ['lib-direction-relay: libs/relay/src/index.ts → apps/api/src/main.ts'],
    ['no-deep-imports: libs/engine/src/deep.ts → libs/contracts/src/code.ts'],
    ['engine-thread-stays-small: libs/engine/src/index.ts → libs/contracts/src/index.ts'],
    ['worker-stays-small: apps/worker/src/main.ts → libs/models/src/index.ts'],
    ['cli-starts-quickly: apps/cli/src/main.ts → libs/models/src/index.ts'],
    ['no-cycles: libs/engine/src/one.ts →'],
    ['apps-stand-alone: apps/api/src/main.ts → apps/worker/src/main.ts'],
    ['one-importer-of-onnxruntime: apps/worker/src/main.ts →'],
    ['every-lib-has-a-rule: libs/news/src/index.ts'],
  ])('refuse %s', (offence) => {
    expect(output).toContain(offence);
  });

  it('let allowed imports through', () => {
    expect(output).not.toContain('libs/queue/src/index.ts → libs/contracts/src/index.ts');
    expect(output).not.toContain('apps/cli/src/main.ts → libs/engine/src/index.ts');
    expect(output).not.toContain('resolvable');
  });
});
