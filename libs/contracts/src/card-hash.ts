import { createHash } from 'node:crypto';
import type { ModelCard } from './model-card.ts';

/** The card as JSON with keys sorted at every level, so that equal cards are equal texts. */
export function canonicalCardJson(card: ModelCard): string {
  return JSON.stringify(card, withSortedKeys);
}

/** SHA-256, in hex, of the card's canonical JSON: the name under which workers publish it and jobs refer to it. */
export function cardHash(card: ModelCard): string {
  return createHash('sha256').update(canonicalCardJson(card)).digest('hex');
}

function withSortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
