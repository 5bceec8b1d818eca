import { describe, expect, it } from 'vitest';
import { loadXgrammar } from './load-xgrammar.ts';

describe('loadXgrammar', () => {
  it('leaves nothing behind on globalThis or the process', async () => {
    const names = Object.getOwnPropertyNames(globalThis);
    const listeners = process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection');
    await loadXgrammar();
    expect(Object.getOwnPropertyNames(globalThis)).toEqual(names);
    expect(process.listenerCount('uncaughtException') + process.listenerCount('unhandledRejection')).toBe(listeners);
  });

  it('gives an instance that goes on working after a grammar that it refused', async () => {
    const binding = await loadXgrammar();
    expect(() => binding.Grammar.FromEBNF('root ::= missing', 'root')).toThrow();
    expect(() => binding.Grammar.FromEBNF('root ::= "a"', 'root').delete()).not.toThrow();
  });
});
