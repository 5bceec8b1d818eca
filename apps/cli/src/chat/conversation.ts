export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/**
 * What was said so far. A message that nothing was answered to does not stay in it, so that what is sent next is a
 * conversation that makes sense; it can still be asked again.
 */
export class Conversation {
  /** Stands before all else; empty for none. */
  system: string;
  #turns: ChatMessage[] = [];
  #unanswered: string | null = null;

  constructor(system: string) {
    this.system = system;
  }

  /** What to send. */
  get messages(): readonly ChatMessage[] {
    return this.system === '' ? [...this.#turns] : [{ role: 'system', content: this.system }, ...this.#turns];
  }

  /** Adds the user's message; `answered` has to follow. */
  ask(text: string): void {
    this.#unanswered = text;
    this.#turns.push({ role: 'user', content: text });
  }

  /** @param text the answer, or as much of it as came */
  answered(text: string): void {
    if (text === '') {
      this.#turns.pop();
      return;
    }
    this.#unanswered = null;
    this.#turns.push({ role: 'assistant', content: text });
  }

  /** Takes the last message and its answer out. @returns the message, null when nothing was asked */
  takeLast(): string | null {
    if (this.#unanswered !== null) return this.#unanswered;
    const answer = this.#turns.pop();
    const asked = this.#turns.pop();
    return answer === undefined || asked === undefined ? null : asked.content;
  }

  clear(): void {
    this.#turns = [];
    this.#unanswered = null;
  }

  /** Puts other messages in the place of all there is: at most one of the system, first, then user and assistant in turns. */
  replace(messages: readonly ChatMessage[]): void {
    this.clear();
    this.system = messages[0]?.role === 'system' ? messages[0].content : '';
    this.#turns = messages.filter(({ role }) => role !== 'system');
    if (this.#turns.at(-1)?.role === 'user') this.#unanswered = this.#turns.pop()?.content ?? null;
  }
}
