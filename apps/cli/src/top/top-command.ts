import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { CliSettings, readSettings } from '#config';
import { AdminClient } from '../admin/admin-client.ts';
import { positiveInteger } from '../flag-numbers.ts';
import type { LiveWorker } from '../models/live-models.ts';
import { type LiveQueue, topText } from './top-text.ts';

/** Clears the screen, and goes to its first line. */
const CLEAR = '\u001b[2J\u001b[H';

/** `millrace top`: queues and workers of a running cluster, until Ctrl-C. */
export function addTopCommand(program: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  program
    .command('top')
    .description('queues and workers as they are now, through a running API (MILLRACE_URL), until Ctrl-C')
    .option('--seconds <count>', 'time between two looks', positiveInteger, 2)
    .option('--once', 'one look')
    .action(({ seconds, once }: { seconds: number; once?: boolean }) =>
      finish(async () => {
        const client = new AdminClient(readSettings(CliSettings));
        for (;;) {
          const [{ queues }, { workers }] = (await Promise.all([
            client.call('GET', 'queues'),
            client.call('GET', 'workers'),
          ])) as [{ queues: LiveQueue[] }, { workers: LiveWorker[] }];
          console.log(`${process.stdout.isTTY && !once ? CLEAR : ''}${topText(queues, workers)}`);
          if (once) return 0;
          await sleep(seconds * 1_000);
        }
      }),
    );
}
