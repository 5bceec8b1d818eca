import { describe, expect, it } from 'vitest';
import { allPages } from './all-pages.ts';

describe('allPages', () => {
  it('asks for the page behind the last item until none follows', async () => {
    const asked: string[] = [];
    const pages = [
      { tenants: [{ id: 'a' }, { id: 'b&c' }], has_more: true, unlisted: ['x'] },
      { tenants: [{ id: 'd' }], has_more: false, unlisted: ['x'] },
    ];
    const call = async (_: 'GET', path: string) => {
      asked.push(path);
      return pages[asked.length - 1];
    };
    const all = { tenants: [{ id: 'a' }, { id: 'b&c' }, { id: 'd' }], has_more: false, unlisted: ['x'] };
    expect(await allPages(call, 'tenants', 'tenants', 'id')).toEqual(all);
    expect(asked).toEqual(['tenants', 'tenants?after=b%26c']);
  });

  it('takes the whole list of a release that has no pages', async () => {
    const list = { keys: [{ keyId: 'a' }] };
    expect(await allPages(async () => list, 'keys', 'keys', 'keyId')).toEqual(list);
  });
});
