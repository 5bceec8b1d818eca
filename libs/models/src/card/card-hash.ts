import { createHash } from 'node:crypto';
import type { ModelCard } from '#contracts';

/** SHA-256, in hex, of the card's canonical JSON (keys sorted at every level): equal cards have equal hashes. */
export function cardHash(card: ModelCard): string {
  return createHash('sha256').update(JSON.stringify(card, sortedKeys)).digest('hex');
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
