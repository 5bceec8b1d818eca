import type { Logger } from '#observability';
import type { AnswerId, KeptAnswer, KeptAnswers, ReplicaPresence } from '#requests';
import type { Course } from '../course.ts';

export interface AdoptionParts {
  readonly kept: Pick<KeptAnswers, 'owned' | 'read'>;
  readonly presence: Pick<ReplicaPresence, 'isAlive' | 'dead' | 'forget'>;
  readonly adopt: (id: AnswerId, found: KeptAnswer) => Promise<Course | null>;
  /** Hears of every request that this replica works on from now on. */
  readonly onAdopted: (course: Course) => void;
  readonly stopping: () => boolean;
  readonly lookMs: number;
  readonly logger: Logger;
}

/** Looks for kept requests that nobody works on, because their replica is dead or has left them, and takes them over. */
export class Adoption implements Disposable {
  readonly #parts: AdoptionParts;
  readonly #timer: NodeJS.Timeout;
  readonly #under = new Map<string, Promise<void>>();

  constructor(parts: AdoptionParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.sweep().catch((err: unknown) => this.#unable(err)), parts.lookMs).unref();
  }

  /** Takes one over if nobody works on it. @throws MillraceError unavailable */
  async look(id: AnswerId, found: KeptAnswer): Promise<void> {
    if (found.state !== 'open' || this.#parts.stopping()) return;
    if (await this.#parts.presence.isAlive(found.owner)) return;
    const key = `${id.tenantId} ${id.requestId}`;
    let adopting = this.#under.get(key);
    if (adopting === undefined) {
      adopting = this.#adopt(id, found).finally(() => this.#under.delete(key));
      this.#under.set(key, adopting);
    }
    await adopting;
  }

  /** @throws MillraceError unavailable */
  async sweep(): Promise<void> {
    if (this.#parts.stopping()) return;
    await this.#takeAllOf('');
    for (const replicaId of await this.#parts.presence.dead()) {
      await this.#takeAllOf(replicaId);
      await this.#parts.presence.forget(replicaId);
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #takeAllOf(replicaId: string): Promise<void> {
    for (const id of await this.#parts.kept.owned(replicaId)) {
      const found = await this.#parts.kept.read(id);
      if (found?.owner === replicaId) await this.look(id, found);
    }
  }

  async #adopt(id: AnswerId, found: KeptAnswer): Promise<void> {
    const course = await this.#parts.adopt(id, found);
    if (course !== null) this.#parts.onAdopted(course);
  }

  #unable(err: unknown): void {
    this.#parts.logger.debug({ err }, 'requests of dead replicas were not looked for');
  }
}
