import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

// Plain scripts without types, as they run on a machine where nothing is installed.
const from = (name: string): Promise<Record<string, (...values: unknown[]) => unknown>> =>
  import(new URL(name, import.meta.url).href);
const { releasedChangelog, requireNewer } = await from('./released-changelog.mjs');
const { billOfMaterials } = await from('./bill-of-materials.mjs');

describe('a release', () => {
  it('moves what is unreleased under its version', () => {
    const text = '# Changelog\n\n## Unreleased\n\n### Added\n- a\n\n## 0.1.0 – 2026-01-01\n- b\n';
    expect(releasedChangelog!(text, '0.2.0', '2026-02-01')).toBe(
      '# Changelog\n\n## Unreleased\n\n## 0.2.0 – 2026-02-01\n\n### Added\n- a\n\n## 0.1.0 – 2026-01-01\n- b\n',
    );
  });

  it('is refused without an entry, twice, and when it does not come after the last', () => {
    expect(() => releasedChangelog!('## Unreleased\n\n## 0.1.0 – x\n- b\n', '0.2.0', 'd')).toThrow(/says nothing/);
    expect(() => releasedChangelog!('## Unreleased\n- a\n## 0.2.0 – x\n', '0.2.0', 'd')).toThrow(/has 0.2.0 already/);
    expect(() => requireNewer!('0.1.0', '0.1.0')).toThrow(/does not come after/);
    expect(() => requireNewer!('0.9.9', '0.10.0')).toThrow(/does not come after/);
    expect(() => requireNewer!('v1', '0.1.0')).toThrow(/no version/);
    expect(() => requireNewer!('0.10.0', '0.9.9')).not.toThrow();
  });
});

describe('the release script', () => {
  const script = new URL('./release.mjs', import.meta.url).pathname;
  const repository = new URL('../../', import.meta.url);
  const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
  const current = JSON.parse(readFileSync(new URL('package.json', repository), 'utf8')).version as string;
  const next = current.replace(/^\d+/, (major) => String(Number(major) + 1));

  it('tells without changing anything what a release of this tree changes', () => {
    const names = ['CHANGELOG.md', 'package.json', 'package-lock.json', 'k8s/overlays/production/kustomization.yaml'];
    const texts = () => names.map((name) => readFileSync(new URL(name, repository), 'utf8'));
    const before = texts();
    const { status, stdout, stderr } = run(next, '--date', '2026-12-01', '--dry-run');
    expect([status, stderr]).toEqual([0, '']);
    expect(texts()).toEqual(before);
    expect(stdout).toContain(`CHANGELOG.md:\n  ## ${next} – 2026-12-01`);
    expect(stdout).toContain(`package.json:\n  "version": "${next}",`);
    expect(stdout.match(new RegExp(`newTag: ${next.replaceAll('.', '\\.')} `, 'g'))?.length).toBeGreaterThanOrEqual(6);
    expect(stdout).toContain('.millrace/sbom.cdx.json: written');
  });

  it('says what is wrong with a version, and ends with 1', () => {
    expect([run('1.2', '--dry-run').status, run('1.2', '--dry-run').stderr]).toEqual([
      1,
      '"1.2" is no version like 1.2.3.\n',
    ]);
    expect(run(current, '--dry-run').stderr).toContain(`${current} does not come after ${current}.`);
    expect(run().status).toBe(1);
  });
});

describe('the bill of materials', () => {
  it('lists what runs, with its licence and the hash of its package', () => {
    const lock = {
      packages: {
        '': {},
        'node_modules/@a/b': { version: '1.0.0', integrity: 'sha512-AAEC', license: 'MIT' },
        'node_modules/c/node_modules/@a/b': { version: '1.0.0', integrity: 'sha512-AAEC', license: 'MIT' },
        'node_modules/d': { version: '2.0.0', dev: true },
      },
    };
    expect(billOfMaterials!(lock, { version: '1.2.3', license: 'Apache-2.0' })).toMatchObject({
      metadata: { component: { name: 'millrace', version: '1.2.3' } },
      components: [
        {
          purl: 'pkg:npm/%40a/b@1.0.0',
          hashes: [{ alg: 'SHA-512', content: '000102' }],
          licenses: [{ expression: 'MIT' }],
        },
      ],
    });
  });

  it('has a hash and a licence for the packages of this repository', () => {
    const script = new URL('./sbom.mjs', import.meta.url).pathname;
    const bill = JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8' }));
    expect(bill.components.length).toBeGreaterThan(50);
    for (const { name, licenses, hashes } of bill.components) {
      // Builds for other platforms, whose lockfile entries say nothing (tools/bootstrap/complete-lock.mjs).
      if (/^(@msgpackr-extract\/|node-bin-)/.test(name)) continue;
      expect(hashes, name).toBeDefined();
      expect(licenses, name).toBeDefined();
    }
  });
});
