import { describe, expect, it } from 'vitest';
import { TenantLine } from './tenant-line.ts';

function taken(line: TenantLine<string>): string[] {
  const all: string[] = [];
  for (let item = line.next(); item !== undefined; item = line.next()) all.push(item);
  return all;
}

describe('TenantLine', () => {
  it('serves tenants in turn, and what each has asked in its order', () => {
    const line = new TenantLine<string>();
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) line.add(item.charAt(0), item);
    expect(line.next()).toBe('a1');
    line.add('d', 'd1');
    expect(taken(line)).toEqual(['b1', 'c1', 'a2', 'd1', 'c2', 'a3']);
    expect(line.length).toBe(0);
  });

  it('has no place for one more of who has most, and makes place for others at its expense', () => {
    const line = new TenantLine<string>(4);
    for (const item of ['a1', 'a2', 'a3', 'a4']) expect(line.add('a', item)).toBeNull();
    expect(line.add('a', 'a5')).toBe('a5');
    expect(line.add('b', 'b1')).toBe('a4');
    expect(line.add('b', 'b2')).toBe('a3');
    expect(line.add('b', 'b3')).toBe('b3');
    expect(line.add('a', 'a6')).toBe('a6');
    expect(line.add('c', 'c1')).toBe('a2');
    expect(line.length).toBe(4);
    expect(taken(line)).toEqual(['a1', 'b1', 'c1', 'b2']);
  });

  it('makes no place where each has one', () => {
    const line = new TenantLine<string>(2);
    line.add('a', 'a1');
    line.add('b', 'b1');
    expect(line.add('c', 'c1')).toBe('c1');
    expect(taken(line)).toEqual(['a1', 'b1']);
  });

  it('gives up the place of what is taken out, and leaves the turns of others as they are', () => {
    const line = new TenantLine<string>(4);
    for (const item of ['a1', 'b1', 'b2', 'c1']) line.add(item.charAt(0), item);
    expect([line.remove('a', 'a1'), line.remove('a', 'a1'), line.remove('b', 'b1')]).toEqual([true, false, true]);
    expect(line.length).toBe(2);
    expect([line.add('d', 'd1'), line.add('b', 'b3')]).toEqual([null, null]);
    expect(taken(line)).toEqual(['b2', 'c1', 'd1', 'b3']);
    expect(line.remove('d', 'd1')).toBe(false);
  });
});
