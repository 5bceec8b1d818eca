import { AnswerView } from './answer-view.ts';
import type { ChatClient } from './chat-client.ts';
import { ChatError } from './chat-error.ts';
import { Conversation } from './conversation.ts';
import { type Sampling, withSetting } from './sampling.ts';
import { loadConversation, saveConversation } from './saved-conversation.ts';
import { helpText, type SlashCommand } from './slash-command.ts';
import type { TerminalStyle } from './terminal-style.ts';

export interface ChatSessionOptions {
  readonly client: ChatClient;
  readonly model: string;
  readonly system: string;
  readonly sampling: Sampling;
  readonly style: TerminalStyle;
  readonly write: (text: string) => void;
}

/** What a conversation in a terminal does with what is typed: messages are asked, commands done. */
export class ChatSession {
  readonly #options: ChatSessionOptions;
  readonly #conversation: Conversation;
  #model: string;
  #sampling: Sampling;

  constructor(options: ChatSessionOptions) {
    this.#options = options;
    this.#conversation = new Conversation(options.system);
    this.#model = options.model;
    this.#sampling = options.sampling;
  }

  /**
   * Asks, and shows the answer as it comes. What came before it was stopped stays in the conversation.
   * @param stop aborted by who has had enough
   * @throws ChatError, StartError as the client does
   */
  async ask(message: string, stop: AbortSignal): Promise<void> {
    const { client, style, write } = this.#options;
    this.#conversation.ask(message);
    const view = new AnswerView({ style, write, now: () => performance.now() });
    const request = { model: this.#model, messages: this.#conversation.messages, sampling: this.#sampling };
    let remark: string | null = 'broken off';
    try {
      for await (const part of client.answer(request, stop)) view.show(part);
      remark = null;
    } catch (error) {
      if (!stop.aborted) throw error;
      remark = 'stopped; Ctrl-C again leaves';
    } finally {
      this.#conversation.answered(view.content);
      view.end(view.content === '' && remark === 'broken off' ? null : remark);
    }
  }

  /**
   * @returns 'quit' to leave, a message that is to be asked, null for neither
   * @throws ChatError, StartError when it can not be done
   */
  async do(command: SlashCommand): Promise<'quit' | { readonly ask: string } | null> {
    const { name, argument, typed } = command;
    switch (name) {
      case null:
        throw new ChatError('unknown_command', `There is no /${typed}; /help lists what there is.`);
      case 'help':
        return this.#say(helpText());
      case 'clear':
        this.#conversation.clear();
        return this.#say('A new conversation.');
      case 'system':
        this.#conversation.system = argument;
        return this.#say(argument === '' ? 'No system message.' : 'The system message is set.');
      case 'models':
        return this.#say((await this.#options.client.models()).map((id) => this.#marked(id)).join('\n'));
      case 'model':
        return this.#choose(argument);
      case 'set':
        if (argument !== '') this.#sampling = withSetting(this.#sampling, argument);
        return this.#say(this.#settings());
      case 'retry': {
        const message = this.#conversation.takeLast();
        if (message === null) throw new ChatError('nothing_asked', 'Nothing was asked yet.');
        return { ask: message };
      }
      case 'save': {
        const file = argument || `millrace-chat-${new Date().toISOString().replace(/[:.]/g, '-')}.json`;
        const { messages } = this.#conversation;
        saveConversation(file, { model: this.#model, messages, ...this.#sampling });
        return this.#say(`Written to ${file}: ${messages.length} messages.`);
      }
      case 'load': {
        if (argument === '') throw new ChatError('no_file', 'Which file? /load FILE');
        this.#conversation.replace(loadConversation(argument));
        return this.#say(`${this.#conversation.messages.length} messages of ${argument}.`);
      }
      case 'quit':
        return 'quit';
    }
  }

  async #choose(model: string): Promise<null> {
    const models = await this.#options.client.models();
    if (!models.includes(model)) {
      const what = model === '' ? 'Which model?' : `No model "${model}" is served.`;
      throw new ChatError('unknown_model', `${what} There are: ${models.join(', ') || 'none'}.`);
    }
    this.#model = model;
    return this.#say(`${model} answers from now on.`);
  }

  #marked(model: string): string {
    return model === this.#model ? `* ${model}` : `  ${model}`;
  }

  #settings(): string {
    const set = Object.entries(this.#sampling).map(([field, value]) => `${field.replaceAll('_', '-')} ${value}`);
    return set.join(', ') || 'All as the model’s makers recommend.';
  }

  #say(text: string): null {
    this.#options.write(`${this.#options.style.dim(text)}\n`);
    return null;
  }
}
