import { execFileSync } from 'node:child_process';
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
