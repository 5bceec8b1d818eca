import { setTimeout as sleep } from 'node:timers/promises';
import { JOB_VERSION, MillraceError, type ModelCard } from '#contracts';
import type { PromptTraits } from '#models';
import type { Logger } from '#observability';
import type { ServedModel } from '#queue';
import type { PromptSource } from '../rendering/prompt-source.ts';
import type { CataloguedModel } from './catalogued-model.ts';

/** What the catalogue reads, `WorkerDirectory` and `CardStore` of libs/queue, and the queues of what it found. */
export interface CatalogueSources {
  readonly directory: {
    snapshot(): Promise<ServedModel[]>;
    servedSince(model: string): Promise<number>;
    watch(listener: () => void): Disposable;
  };
  readonly cards: { get(hash: string): Promise<ModelCard | null> };
  readonly queues: { open(model: string): Promise<void> };
}

type KnownCard = Pick<CataloguedModel, 'card' | 'traits' | 'servedSince'>;

/** A worker that died without a word shows after this time plus its heartbeat's. */
const REFRESH_MS = 2_000;
/** Requests for models that nobody serves make Redis work at most this often. */
const FORCED_REFRESH_MS = 100;

/**
 * Which models there are, kept in memory: refreshed when workers come or go and every two seconds. While Redis is away the
 * last view stays. A card is read once per content hash, and its tokenizer and queue are ready before its model shows.
 */
export class ModelCatalogue {
  readonly #sources: CatalogueSources;
  readonly #prompts: PromptSource;
  readonly #logger: Logger;
  readonly #cards = new Map<string, KnownCard>();
  /** Hashes of cards that can not be used, with the reason. */
  readonly #unusable = new Map<string, string>();
  #models = new Map<string, CataloguedModel>();
  #refreshing: Promise<void> | null = null;
  #forced: Promise<void> | null = null;
  #again = false;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #watch: Disposable | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(sources: CatalogueSources, prompts: PromptSource, logger: Logger) {
    this.#sources = sources;
    this.#prompts = prompts;
    this.#logger = logger;
  }

  /** Reads the models once and keeps following them until `close`. */
  async start(): Promise<void> {
    this.#watch = this.#sources.directory.watch(() => this.#refreshQuietly());
    this.#timer = setInterval(() => this.#refreshQuietly(), REFRESH_MS);
    this.#timer.unref();
    await this.refresh().catch(() => {});
  }

  close(): void {
    this.#watch?.[Symbol.dispose]();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  /** Models with at least one live worker, sorted by name. */
  served(): CataloguedModel[] {
    return [...this.#models.values()].filter((model) => model.liveWorkers > 0);
  }

  /** Every model that was ever served, sorted by name; those that nobody serves now have no live workers. */
  known(): CataloguedModel[] {
    return [...this.#models.values()];
  }

  /** In which version jobs for a model are to be written now. */
  jobVersionOf(name: string): number {
    return this.#models.get(name)?.jobVersion ?? JOB_VERSION;
  }

  /** @throws MillraceError model_not_found, or unavailable when the model is unknown and Redis can not be asked */
  async find(name: string): Promise<CataloguedModel> {
    if (!this.#isServed(name)) await this.#refreshForUnserved();
    const model = this.#models.get(name);
    if (model !== undefined) return model;
    const names = this.served().map((served) => `"${served.card.model}"`);
    const served =
      names.length === 0 ? 'No model is served at the moment.' : `Served now: ${names.slice(0, 20).join(', ')}.`;
    throw new MillraceError('model_not_found', `The model ${JSON.stringify(name)} does not exist. ${served}`, {
      param: 'model',
    });
  }

  /** Reads the models anew; calls at the same time share one reading. @throws MillraceError unavailable */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null;
      if (this.#again) this.#refreshQuietly();
    });
    return this.#refreshing;
  }

  #isServed(name: string): boolean {
    return (this.#models.get(name)?.liveWorkers ?? 0) > 0;
  }

  /** Requests for models that nobody serves share one reading, which begins after they came, and not too soon after the last one. */
  #refreshForUnserved(): Promise<void> {
    this.#forced ??= (async () => {
      await this.#refreshing?.catch(() => {});
      await sleep(Math.max(0, this.#refreshedAtMs + FORCED_REFRESH_MS - performance.now()));
      this.#forced = null;
      await this.refresh();
    })();
    return this.#forced;
  }

  /** A notice that comes during a reading may be about something that the reading has passed already. */
  #refreshQuietly(): void {
    this.#again = this.#refreshing !== null;
    if (this.#again) return;
    this.refresh().catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the models could not be read; the last view stays');
    });
  }

  async #refresh(): Promise<void> {
    const served = await this.#sources.directory.snapshot();
    const models = await Promise.all(served.map((model) => this.#catalogue(model)));
    this.#models = new Map(models.flatMap((model) => (model === null ? [] : [[model.card.model, model]])));
    this.#refreshedAtMs = performance.now();
    this.#forgetExcept(new Set(served.map((model) => model.cardHash)));
  }

  async #catalogue(served: ServedModel): Promise<CataloguedModel | null> {
    const known = await this.#card(served.cardHash, served.model);
    return known === null
      ? null
      : {
          ...known,
          cardHash: served.cardHash,
          liveWorkers: served.workers,
          liveSlots: served.slots,
          fewestSlots: served.fewestSlots,
          jobVersion: served.jobVersion,
        };
  }

  async #card(hash: string, model: string): Promise<KnownCard | null> {
    const known = this.#cards.get(hash);
    if (known !== undefined) return known;
    if (this.#unusable.has(hash)) return null;
    const card = await this.#sources.cards.get(hash);
    if (card === null) {
      this.#logger.warn({ model, cardHash: hash }, 'the card of a served model is not in Redis (yet)');
      return null;
    }
    const servedSince = await this.#sources.directory.servedSince(model);
    let traits: PromptTraits;
    try {
      // A queue that can not be opened now is opened at its first request.
      [traits] = await Promise.all([this.#prompts.load(hash, card), this.#sources.queues.open(model).catch(() => {})]);
    } catch (error) {
      this.#unusable.set(hash, String(error));
      this.#logger.error({ model, cardHash: hash, err: error }, 'the model is left out: its card can not be used');
      return null;
    }
    const usable = { card, traits, servedSince };
    this.#cards.set(hash, usable);
    this.#logger.info({ model, cardHash: hash, contextLength: card.contextLength }, 'model ready');
    return usable;
  }

  #forgetExcept(hashes: ReadonlySet<string>): void {
    for (const hash of this.#cards.keys()) {
      if (hashes.has(hash)) continue;
      this.#cards.delete(hash);
      this.#prompts.forget(hash);
    }
    for (const hash of this.#unusable.keys()) if (!hashes.has(hash)) this.#unusable.delete(hash);
  }
}
