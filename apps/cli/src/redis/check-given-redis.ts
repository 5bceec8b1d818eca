import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisTarget } from '#config';
import { connectRedis, redisFitness } from '#queue';
import { StartError } from '../start-error.ts';

const TRIES = 20;
const PAUSE_MS = 100;

/**
 * Makes sure that the Redis of REDIS_URL answers, credentials and TLS included, and can be used.
 * @returns what may be lost with it, each with its remedy
 * @throws StartError naming the address (never the password) and the remedy, after about two seconds
 */
export async function checkGivenRedis({ url, ca }: RedisTarget): Promise<readonly string[]> {
  let problem: unknown = null;
  const client = connectRedis(url, 'producer', {
    ca,
    onError: (error) => {
      problem = error;
    },
  });
  try {
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      try {
        await client.ping();
        const { refusals, risks } = await redisFitness(client);
        if (refusals.length === 0) return risks;
        problem = new Error(refusals.join('; '));
        break;
      } catch (error) {
        // "The connection is not open" says less than why it is not.
        problem ??= error;
        await sleep(PAUSE_MS);
      }
    }
  } finally {
    client.disconnect();
  }
  throw new StartError(
    `The Redis of REDIS_URL (${new URL(url).host}) cannot be used: ${describe(problem)}\n` +
      'Start it, correct REDIS_URL, or unset REDIS_URL to let Millrace start its own.',
    { cause: problem },
  );
}

function describe(problem: unknown): string {
  if (problem instanceof AggregateError && problem.errors.length > 0) return describe(problem.errors[0]);
  return problem instanceof Error && problem.message !== '' ? problem.message : String(problem);
}
