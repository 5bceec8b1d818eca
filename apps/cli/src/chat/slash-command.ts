/** What can be typed in the place of a message. */
export const SLASH_COMMANDS = [
  { name: 'help', argument: '', means: 'this list' },
  { name: 'clear', argument: '', means: 'begins a new conversation' },
  { name: 'system', argument: '[TEXT]', means: 'what stands before the conversation from now on; nothing for none' },
  { name: 'model', argument: 'NAME', means: 'asks another model from now on' },
  { name: 'models', argument: '', means: 'lists the models' },
  {
    name: 'set',
    argument: '[NAME [VALUE]]',
    means: 'how to sample, such as temperature 0.5; the default without a value',
  },
  { name: 'retry', argument: '', means: 'asks the last message again' },
  { name: 'save', argument: '[FILE]', means: 'writes the conversation as the body of a request' },
  { name: 'load', argument: 'FILE', means: 'goes on with a conversation that was saved' },
  { name: 'quit', argument: '', means: 'leaves, as Ctrl-D does' },
] as const;

export type SlashCommandName = (typeof SLASH_COMMANDS)[number]['name'];

export interface SlashCommand {
  /** Null when there is no such command. */
  readonly name: SlashCommandName | null;
  /** Without what surrounds it: space, and `"""` where it has several lines. */
  readonly argument: string;
  /** The name as it was typed. */
  readonly typed: string;
}

/** Names that others have for the same. */
const ALIASES: Readonly<Record<string, SlashCommandName>> = {
  '?': 'help',
  bye: 'quit',
  exit: 'quit',
  q: 'quit',
  new: 'clear',
};

/** The command that an entry is; null for a message. A path such as `/etc/hosts` is none, nor is anything behind a space. */
export function slashCommandOf(entry: string): SlashCommand | null {
  const [, typed, argument = ''] = /^\/([a-z]+|\?)(?:\s+(.*))?$/is.exec(entry.trimEnd()) ?? [];
  if (typed === undefined) return null;
  const lower = typed.toLowerCase();
  const name = SLASH_COMMANDS.find((command) => command.name === lower)?.name ?? ALIASES[lower] ?? null;
  return { name, argument: argument.trim(), typed };
}

/** All commands, one a line, and how to write several lines. */
export function helpText(): string {
  const rows = SLASH_COMMANDS.map(({ name, argument, means }): [string, string] => [
    `/${name} ${argument}`.trim(),
    means,
  ]);
  rows.push(['"""', 'begins and ends a message of several lines, as does \\ at the end of each line but the last']);
  rows.push(['Ctrl-C', 'stops an answer, or drops what was typed; at an empty prompt, twice, leaves']);
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
