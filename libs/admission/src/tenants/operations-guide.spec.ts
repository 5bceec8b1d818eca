import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TenancyDocument, Tenant } from '#admission';

const guide = readFileSync('docs/operations/tenants.md', 'utf8');

describe('docs/operations/tenants.md', () => {
  it('shows a document of tenants that can be applied', () => {
    const examples = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => parse(text ?? ''));
    expect(examples).toHaveLength(1);
    const result = TenancyDocument.safeParse(examples[0]);
    expect(result.error?.issues ?? []).toEqual([]);
    expect(result.data?.tenants.map(({ id }) => id)).toEqual(['team-a', 'batch']);
  });

  it('has a row for every field of a tenant, and shows fields that exist', () => {
    const rows = [...guide.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, field]) => field);
    const { id: _, name: _name, parameters: _parameters, ...fields } = Tenant.shape;
    const parameters = Object.keys(Tenant.parse({ id: 'x' }).parameters).map((field) => `parameters.${field}`);
    for (const field of [...Object.keys(fields), ...parameters]) expect(rows).toContain(field);
    const shown = /tenants set team-a '([^']+)'/.exec(guide)?.[1] ?? '';
    expect(Tenant.safeParse({ id: 'team-a', ...JSON.parse(shown) }).success).toBe(true);
  });
});
