import { describe, expect, it } from 'vitest';
import { type GrammarNode, RETURN } from './grammar-node.ts';
import { Stacks } from './stacks.ts';
import { Ways } from './ways.ts';

const node = (): GrammarNode => ({ kind: 'split', targets: [] });

describe('stacks of open rules', () => {
  it('are the same object for the same ways, in whichever order they are found', () => {
    const stacks = new Stacks();
    const [a, b, c] = [node(), node(), node()];
    const one = stacks.pushed(a, stacks.pushed(b, stacks.bottom));
    const other = stacks.pushed(a, stacks.pushed(c, stacks.bottom));
    const both = stacks.union(one, other);
    expect(both).toBe(stacks.union(other, one));
    expect(both).toBe(stacks.pushed(a, stacks.union(stacks.pushed(c, stacks.bottom), stacks.pushed(b, stacks.bottom))));
    expect(stacks.union(both, one)).toBe(both);
    expect(both.frames.length).toBe(1);
    expect(both.depth).toBe(3);
    expect(stacks.union(both, stacks.bottom)).toMatchObject({ isBottom: true, frames: both.frames });
  });

  it('tell repeats by their counts', () => {
    const stacks = new Stacks();
    const part = node();
    const [first, second] = [stacks.pushed(part, stacks.bottom, 1), stacks.pushed(part, stacks.bottom, 2)];
    expect(stacks.union(first, second).frames.map(({ count }) => count)).toEqual([1, 2]);
    expect([stacks.bottom.isCounted, first.isCounted, stacks.pushed(node(), second).isCounted]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('hold a loop once that is behind itself, with what is around both', () => {
    const stacks = new Stacks();
    const loop: GrammarNode = { kind: 'loop', body: node(), next: RETURN };
    const [around, other] = [stacks.pushed(node(), stacks.bottom), stacks.pushed(node(), stacks.bottom)];
    const open = stacks.pushed(loop, around);
    expect(stacks.behind(loop, open)).toBe(around);
    expect(stacks.behind(loop, stacks.union(open, other))).toBe(stacks.union(around, other));
    expect(stacks.behind({ ...loop, next: node() }, open)).toBe(open);
  });
});

describe('the ways in which a node is reached', () => {
  it('are gone on from once each, and are all there in the end', () => {
    const stacks = new Stacks();
    const top = node();
    const [a, b, c] = [node(), node(), node()].map((below) => stacks.pushed(top, stacks.pushed(below, stacks.bottom)));
    const ways = new Ways(stacks, a);
    expect(ways.take()).toBe(a);
    expect([ways.add(a), ways.add(b), ways.add(b), ways.add(c)]).toEqual([false, true, false, true]);
    expect(ways.take()).toBe(stacks.union(b, c));
    expect([ways.add(stacks.union(a, c)), ways.add(stacks.bottom), ways.add(stacks.bottom)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(ways.take()).toBe(stacks.bottom);
    expect(ways.all).toBe(stacks.union(stacks.bottom, stacks.union(a, stacks.union(b, c))));
  });

  it('that come before anything was taken are taken together', () => {
    const stacks = new Stacks();
    const [a, b] = [stacks.pushed(node(), stacks.bottom), stacks.pushed(node(), stacks.bottom)];
    const ways = new Ways(stacks, stacks.bottom);
    ways.add(a);
    ways.add(b);
    expect(ways.take()).toBe(ways.all);
    expect(ways.all).toMatchObject({ isBottom: true, frames: { length: 2 } });
  });
});
