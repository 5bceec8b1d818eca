import type { Redis } from 'ioredis';
import { subscriberOf } from '#queue';

type Listener = () => void;

/**
 * One subscribed connection for any number of channels. A listener is also called after every reconnect, since notices
 * may have been missed; whoever listens looks into Redis itself and takes a notice as nothing but a reason to look now.
 */
export class Notices implements Disposable {
  readonly #subscriber: Redis;
  readonly #listeners = new Map<string, Set<Listener>>();

  /** @param redis whose settings the connection takes over */
  constructor(redis: Redis) {
    this.#subscriber = subscriberOf(redis);
    this.#subscriber.on('message', (channel: string) => this.#tell(channel));
    this.#subscriber.on('ready', () => {
      for (const channel of [...this.#listeners.keys()]) this.#tell(channel);
    });
  }

  listen(channel: string, listener: Listener): Disposable {
    let listeners = this.#listeners.get(channel);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(channel, listeners);
      // What was said before the subscription stood is found by looking once it does.
      this.#subscriber.subscribe(channel).then(
        () => this.#tell(channel),
        () => {},
      );
    }
    listeners.add(listener);
    return { [Symbol.dispose]: () => this.#leave(channel, listener) };
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    this.#subscriber.disconnect();
  }

  #tell(channel: string): void {
    for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener();
  }

  #leave(channel: string, listener: Listener): void {
    const listeners = this.#listeners.get(channel);
    if (listeners === undefined || !listeners.delete(listener) || listeners.size > 0) return;
    this.#listeners.delete(channel);
    this.#subscriber.unsubscribe(channel).catch(() => {});
  }
}
