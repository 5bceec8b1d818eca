import { describe, expect, it } from 'vitest';
import { NoPlaceError } from './no-place-error.ts';
import { WorkLine } from './work-line.ts';

/** A line, what was begun in it in which order, and what ends the piece in hand. */
function line(mostWaiting?: number) {
  const made = new WorkLine(mostWaiting);
  const begun: string[] = [];
  const inHand: PromiseWithResolvers<string>[] = [];
  const run = (name: string): Promise<string> =>
    made.run(name.charAt(0), () => {
      begun.push(name);
      const piece = Promise.withResolvers<string>();
      inHand.push(piece);
      return piece.promise;
    });
  /** Ends the piece in hand, and lets the next one begin. */
  const end = async (settle = (piece: PromiseWithResolvers<string>) => piece.resolve('done')): Promise<void> => {
    settle(inHand.pop()!);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { run, begun, end };
}

describe('WorkLine', () => {
  it('does one piece at a time, tenants in turn, the first at once', async () => {
    const { run, begun, end } = line();
    const all = ['a1', 'a2', 'a3', 'b1'].map(run);
    expect(begun).toEqual(['a1']);
    await end();
    expect(begun).toEqual(['a1', 'a2']);
    for (let ended = 0; ended < 3; ended++) await end();
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3']);
    expect(await Promise.all(all)).toEqual(['done', 'done', 'done', 'done']);
    void run('c1');
    expect(begun.at(-1)).toBe('c1');
  });

  it('goes on behind a piece that fails', async () => {
    const { run, begun, end } = line();
    const failing = run('a1');
    const next = run('a2');
    await Promise.all([
      expect(failing).rejects.toThrow('no such thing'),
      end(({ reject }) => reject(new Error('no such thing'))),
    ]);
    expect(begun).toEqual(['a1', 'a2']);
    await end();
    expect(await next).toBe('done');
  });

  it('refuses the newest of the tenant with most, where too many wait', async () => {
    const { run, begun, end } = line(2);
    const [first, second, third] = ['a1', 'a2', 'a3'].map(run);
    const refused = expect(third).rejects.toThrow(NoPlaceError);
    const other = run('b1');
    await refused;
    for (let ended = 0; ended < 3; ended++) await end();
    expect(begun).toEqual(['a1', 'a2', 'b1']);
    expect(await Promise.all([first, second, other])).toEqual(['done', 'done', 'done']);
  });
});
