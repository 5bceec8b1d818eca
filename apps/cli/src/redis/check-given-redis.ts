import { connectRedis } from '#queue';
import { StartError } from '../start-error.ts';

/**
 * Makes sure that the Redis of REDIS_URL answers, credentials and TLS included.
 * @throws StartError naming the address (never the password) and the remedy
 */
export async function checkGivenRedis(url: string): Promise<void> {
  const client = connectRedis(url, 'producer');
  let problem: unknown = new Error('no answer within 5 s');
  const onError = (error: unknown): void => {
    problem = error;
  };
  client.on('error', onError);
  try {
    const deadline = Date.now() + 5_000;
    while (Date.now() < deadline) {
      const answered = await client.ping().then(
        () => true,
        (error: unknown) => {
          if (problem instanceof Error && problem.message.startsWith('no answer')) problem = error;
          return false;
        },
      );
      if (answered) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new StartError(
      `The Redis of REDIS_URL (${new URL(url).host}) cannot be used: ${problem instanceof Error ? problem.message : String(problem)}\n` +
        'Start it, correct REDIS_URL, or unset REDIS_URL to let Millrace start its own.',
      { cause: problem },
    );
  } finally {
    client.disconnect();
  }
}
