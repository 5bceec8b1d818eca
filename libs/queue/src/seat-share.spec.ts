import { describe, expect, it } from 'vitest';
import { tenantsWithShare } from './seat-share.ts';

const holding = (tenantId: string, sequences: number, weight = 1) => ({ tenantId, sequences, weight });

describe('tenantsWithShare', () => {
  it('names a tenant that is alone as soon as it holds every slot', () => {
    expect(tenantsWithShare(4, [holding('flood', 3)])).toEqual([]);
    expect(tenantsWithShare(4, [holding('flood', 4)])).toEqual(['flood']);
  });

  it('does not name one below half beside a flood, and names both at half', () => {
    expect(tenantsWithShare(8, [holding('flood', 8), holding('light', 3)])).toEqual(['flood']);
    expect(tenantsWithShare(8, [holding('flood', 8), holding('light', 4)])).toEqual(['flood', 'light']);
  });

  it('leaves what one tenant does not want to the others', () => {
    const held = [holding('small', 1), holding('a', 3), holding('b', 4)];
    expect(tenantsWithShare(8, held)).toEqual(['b']);
  });

  it('goes by weight', () => {
    expect(tenantsWithShare(8, [holding('heavy', 7, 3), holding('light', 1)])).toEqual(['heavy']);
    expect(tenantsWithShare(8, [holding('heavy', 6, 3), holding('light', 2)])).toEqual(['heavy', 'light']);
  });

  it('counts a part of a slot as one, so that it can go round', () => {
    expect(tenantsWithShare(3, [holding('a', 2), holding('b', 1)])).toEqual(['a']);
    expect(tenantsWithShare(1, [holding('a', 1), holding('b', 1)])).toEqual(['a', 'b']);
  });
});
