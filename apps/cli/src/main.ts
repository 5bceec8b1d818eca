import { extname } from 'node:path';
import { Command } from 'commander';
import { ConfigurationError } from '#config';
import { addAdminCommands } from './admin/admin-commands.ts';
import { addBenchCommands } from './bench/bench-commands.ts';
import { addChatCommand } from './chat/chat-command.ts';
import { ChatError } from './chat/chat-error.ts';
import { addModelsCommand } from './models/models-command.ts';
import { packageVersion } from './package-root.ts';
import { StartError } from './start-error.ts';
import { addTopCommand } from './top/top-command.ts';

// What commands do is loaded when one is called: all of it would take half a second each time.

const program = new Command('millrace')
  .description(
    'A distributed, queue-based LLM inference cluster. Settings come from the environment; see docs/operations.',
  )
  .version(packageVersion())
  // Flags of `bench replay` have the names of others of `bench`.
  .enablePositionalOptions();

program
  .command('up')
  .description('Redis (found or started), one API and one worker on this machine, until Ctrl-C')
  .option('--port <port>', 'HTTP port, 0 picks a free one (MILLRACE_HTTP_PORT)')
  .option('--model <folder>', 'model folder or name (MILLRACE_MODEL)')
  .option('--redis-url <url>', 'use this Redis and start none (REDIS_URL)')
  .action((flags: { port?: string; model?: string; redisUrl?: string }) =>
    finish(async () =>
      (await import('./up/up.ts')).up({
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
  .action(() => finish(async () => (await import('./doctor/doctor.ts')).doctor(process.env)));

program
  .command('redis')
  .description('prints the Redis program that `up` would run; as root on Debian or Ubuntu it is installed when missing')
  .action(() =>
    finish(async () => {
      const { obtainRedis } = await import('./redis/obtain-redis.ts');
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

addBenchCommands(program, finish);

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
    const expected = await saysAll(error);
    console.error(
      `\n${expected || !(error instanceof Error) ? String(error instanceof Error ? error.message : error) : error.stack}`,
    );
  }
  process.exit(code);
}

/** Whether an error's message says all, so that it is shown without a stack. */
async function saysAll(error: unknown): Promise<boolean> {
  if ([StartError, ConfigurationError, ChatError].some((type) => error instanceof type)) return true;
  const { HubError, ModelFolderError, ModelImportError } = await import('#models');
  return [HubError, ModelFolderError, ModelImportError].some((type) => error instanceof type);
}

async function runApp(name: 'api' | 'worker'): Promise<void> {
  await import(new URL(`../../${name}/src/main${extname(import.meta.url)}`, import.meta.url).href);
}
