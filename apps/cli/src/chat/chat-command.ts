import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { ChatSettings, readSettings } from '#config';
import { apiAccess } from '../client/api-access.ts';
import { ChatClient } from './chat-client.ts';
import { ChatError } from './chat-error.ts';
import { ChatSession } from './chat-session.ts';
import { converse } from './converse.ts';
import { answerOnce } from './one-shot.ts';
import { nameOf, SAMPLING_FIELDS, samplingFlag, samplingOf } from './sampling.ts';
import { TerminalPrompt } from './terminal-prompt.ts';
import { terminalStyle } from './terminal-style.ts';

interface ChatFlags {
  readonly url?: string;
  readonly key?: string;
  readonly model?: string;
  readonly system?: string;
  readonly [field: string]: unknown;
}

/** `millrace chat`: a conversation in a terminal; one answer where a prompt is given, or comes from elsewhere. */
export function addChatCommand(program: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  const command = program
    .command('chat')
    .description('a conversation with a model of a running API; one answer alone where a prompt is given or piped in')
    .argument('[prompt...]', 'what is asked, behind what is piped in; without either a conversation begins')
    .option('--url <url>', 'any API replica (MILLRACE_URL)')
    .option('--key <key>', 'any key of it (MILLRACE_API_KEY); the one that `millrace up` keeps when left out')
    .option('--model <name>', 'the first of GET /v1/models when left out (MILLRACE_CHAT_MODEL)')
    .option('--system <text>', 'stands before the conversation (MILLRACE_CHAT_SYSTEM)');
  for (const each of SAMPLING_FIELDS) {
    command.option(
      `--${nameOf(each)} <${each.value === 'number' ? 'number' : 'text'}>`,
      each.means,
      samplingFlag(each),
    );
  }
  command.action((prompt: string[], flags: ChatFlags) => finish(() => chat(prompt.join(' '), flags)));
}

async function chat(asked: string, flags: ChatFlags): Promise<number> {
  const settings = readSettings(ChatSettings, {
    ...process.env,
    ...(flags.url !== undefined && { MILLRACE_URL: flags.url }),
    ...(flags.key !== undefined && { MILLRACE_API_KEY: flags.key }),
    ...(flags.model !== undefined && { MILLRACE_CHAT_MODEL: flags.model }),
    ...(flags.system !== undefined && { MILLRACE_CHAT_SYSTEM: flags.system }),
  });
  const client = new ChatClient(apiAccess(settings));
  const { stdin, stdout } = process;
  const piped = stdin.isTTY ? '' : await text(stdin);
  const message = [piped.trimEnd(), asked].filter((part) => part !== '').join('\n\n');
  const conversing = message === '' && stdin.isTTY && stdout.isTTY;
  if (message === '' && !conversing) {
    throw new ChatError('no_prompt', 'There is nothing to ask: give a prompt, or pipe one in.');
  }
  const model = settings.MILLRACE_CHAT_MODEL ?? (await firstModel(client));
  const system = settings.MILLRACE_CHAT_SYSTEM ?? '';
  const sampling = samplingOf(flags);
  if (!conversing) {
    const before = system === '' ? [] : [{ role: 'system' as const, content: system }];
    await answerOnce(client, { model, messages: [...before, { role: 'user', content: message }], sampling });
    return 0;
  }
  const style = terminalStyle(stdout);
  const write = (line: string) => void stdout.write(line);
  write(`${style.dim(`${model} at ${client.url}. /help lists commands, Ctrl-C stops an answer, Ctrl-D leaves.`)}\n`);
  using prompt = new TerminalPrompt(stdin, stdout);
  const session = new ChatSession({ client, model, system, sampling, style, write });
  await converse({ session, prompt, style, write });
  return 0;
}

async function firstModel(client: ChatClient): Promise<string> {
  const [model] = await client.models();
  if (model !== undefined) return model;
  throw new ChatError('no_models', `${client.url} serves no model now. Start a worker (npx millrace worker).`);
}
