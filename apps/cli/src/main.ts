import { extname } from 'node:path';
import { Command } from 'commander';
import { ConfigurationError } from '#config';
import { HubError, ModelFolderError, ModelImportError } from '#models';
import { addAdminCommands } from './admin/admin-commands.ts';
import { type BenchFlags, benchCommand, secondsToMeasure } from './bench/bench-command.ts';
import { addChatCommand } from './chat/chat-command.ts';
import { ChatError } from './chat/chat-error.ts';
import { doctor } from './doctor/doctor.ts';
import { addModelsCommand } from './models/models-command.ts';
import { packageVersion } from './package-root.ts';
import { obtainRedis } from './redis/obtain-redis.ts';
import { StartError } from './start-error.ts';
import { addTopCommand } from './top/top-command.ts';
import { up } from './up/up.ts';

/** Errors whose message says all: they are shown without a stack. */
const EXPECTED_ERRORS = [StartError, ConfigurationError, ModelFolderError, ModelImportError, HubError, ChatError];

const program = new Command('millrace')
  .description(
    'A distributed, queue-based LLM inference cluster. Settings come from the environment; see docs/operations.',
  )
  .version(packageVersion());

program
  .command('up')
  .description('Redis (found or started), one API and one worker on this machine, until Ctrl-C')
  .option('--port <port>', 'HTTP port, 0 picks a free one (MILLRACE_HTTP_PORT)')
  .option('--model <folder>', 'model folder or name (MILLRACE_MODEL)')
  .option('--redis-url <url>', 'use this Redis and start none (REDIS_URL)')
  .action((flags: { port?: string; model?: string; redisUrl?: string }) =>
    finish(async () =>
      up({
        ...process.env,
        ...(flags.port !== undefined && { MILLRACE_HTTP_PORT: flags.port }),
        ...(flags.model !== undefined && { MILLRACE_MODEL: flags.model }),
        ...(flags.redisUrl !== undefined && { REDIS_URL: flags.redisUrl }),
      }),
    ),
  );

program
  .command('api')
  .description('one API process in the foreground, configured by the environment')
  .action(() => runApp('api'));

program
  .command('worker')
  .description('one worker process in the foreground, configured by the environment')
  .action(() => runApp('worker'));

program
  .command('doctor')
  .description('says what `up` would stumble over')
  .action(() => finish(() => doctor(process.env)));

program
  .command('bench')
  .description('how fast the configured model is on this machine: the engine beside bare runs of the model')
  .option('--model <folder>', 'model folder or name (MILLRACE_MODEL)')
  .option(
    '--tune',
    'tries threads, spinning, chunks and slots, and writes the best to a file that `up` and workers read',
  )
  .option('--seconds <count>', 'time for all of it, at most 180; 20, with --tune 120, when left out', secondsToMeasure)
  .option('--output <file>', 'where --tune writes; .millrace/tuned.env when left out (MILLRACE_TUNED_FILE)')
  .option('--json', 'as JSON')
  .action((flags: BenchFlags) => finish(() => benchCommand(flags, process.env)));

program
  .command('redis')
  .description('prints the Redis program that `up` would run; as root on Debian or Ubuntu it is installed when missing')
  .action(() =>
    finish(async () => {
      const found = await obtainRedis({
        path: process.env.PATH ?? '',
        platform: process.platform,
        isRoot: process.getuid?.() === 0,
        onProgress: (message) => console.error(message),
      });
      console.log(found.path);
      return 0;
    }),
  );

addChatCommand(program, finish);

addAdminCommands(program, finish);

addModelsCommand(program, finish);

addTopCommand(program, finish);

await program.parseAsync();

/** Runs a command and leaves with its exit code; an expected error is shown without a stack. */
async function finish(command: () => Promise<number>): Promise<void> {
  let code = 1;
  try {
    code = await command();
  } catch (error) {
    const expected = EXPECTED_ERRORS.some((type) => error instanceof type);
    console.error(
      `\n${expected || !(error instanceof Error) ? String(error instanceof Error ? error.message : error) : error.stack}`,
    );
  }
  process.exit(code);
}

async function runApp(name: 'api' | 'worker'): Promise<void> {
  await import(new URL(`../../${name}/src/main${extname(import.meta.url)}`, import.meta.url).href);
}
