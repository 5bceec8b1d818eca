import { createInterface, type Interface } from 'node:readline';
import { PromptScreen, type Screen } from './prompt-screen.ts';

/** What a person did at the prompt. */
export type Entry =
  /** One line, or several that were pasted as one. */
  | { readonly kind: 'text'; readonly text: string }
  /** Ctrl-C. */
  | { readonly kind: 'interrupt'; readonly hadText: boolean }
  /** Ctrl-D, or the terminal is gone. */
  | { readonly kind: 'end' };

/** Has terminals say where what is pasted begins and ends. */
const TELL_PASTES = '\u001b[?2004h';
const TELL_NO_PASTES = '\u001b[?2004l';

/**
 * Lines typed at a terminal. Between two questions it goes on reading, hidden: what is typed while an answer is written shows
 * at the next prompt, and Ctrl-C reaches `onInterrupt`. Disposing gives the terminal back as it was.
 */
export class TerminalPrompt implements Disposable {
  /** Called for a Ctrl-C while nothing is asked for. */
  onInterrupt: () => void = () => undefined;
  readonly #output: Screen;
  readonly #screen: PromptScreen;
  readonly #lines: Interface;
  /** Done while nobody asked. */
  readonly #ahead: Entry[] = [];
  #ask: ((entry: Entry) => void) | null = null;
  /** Lines of a paste whose last line is not entered yet. */
  #pasted: string[] = [];
  #pasting = false;
  #ended = false;

  /** @param input a terminal, which is read key by key */
  constructor(input: NodeJS.ReadableStream, output: Screen) {
    this.#output = output;
    this.#screen = new PromptScreen(output);
    this.#lines = createInterface({ input, output: this.#screen, terminal: true, historySize: 200 });
    this.#lines.on('line', (line) => this.#onLine(line));
    this.#lines.on('SIGINT', () => this.#onInterrupt());
    // Only this process would stop, and who started it (npx) go on holding the terminal.
    this.#lines.on('SIGTSTP', () => undefined);
    this.#lines.on('close', () => {
      this.#ended = true;
      this.#tell({ kind: 'end' });
    });
    input.on('keypress', (_: string | undefined, key: { name?: string }) => {
      if (key.name === 'paste-start') this.#pasting = true;
      else if (key.name === 'paste-end') this.#pasting = false;
    });
    output.write(TELL_PASTES);
  }

  /** Asks for the next entry. */
  async next(prompt: string): Promise<Entry> {
    const ahead = this.#ahead.shift();
    if (ahead !== undefined) {
      if (ahead.kind === 'text') this.#output.write(`${prompt}${ahead.text}\n`);
      return ahead;
    }
    if (this.#ended) return { kind: 'end' };
    this.#screen.shown = true;
    this.#lines.setPrompt(prompt);
    this.#lines.prompt(true);
    const entry = await new Promise<Entry>((resolve) => {
      this.#ask = resolve;
    });
    this.#screen.shown = false;
    if (entry.kind !== 'text') this.#output.write('\n');
    return entry;
  }

  [Symbol.dispose](): void {
    this.#lines.close();
    this.#output.write(TELL_NO_PASTES);
  }

  #onLine(line: string): void {
    this.#pasted.push(line);
    if (this.#pasting) return;
    const text = this.#pasted.join('\n');
    this.#pasted = [];
    this.#tell({ kind: 'text', text });
  }

  #onInterrupt(): void {
    if (this.#ask === null) {
      this.onInterrupt();
      return;
    }
    const hadText = this.#lines.line !== '' || this.#pasted.length > 0;
    this.#pasted = [];
    // What was typed stays to be seen, and is gone from the line as if its writer had deleted it.
    this.#screen.shown = false;
    this.#lines.write(null, { ctrl: true, name: 'e' });
    this.#lines.write(null, { ctrl: true, name: 'u' });
    this.#tell({ kind: 'interrupt', hadText });
  }

  #tell(entry: Entry): void {
    const ask = this.#ask;
    // The next line may be in the same write.
    this.#ask = null;
    if (ask === null) this.#ahead.push(entry);
    else ask(entry);
  }
}
