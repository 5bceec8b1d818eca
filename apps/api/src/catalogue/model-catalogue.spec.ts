import { beforeEach, describe, expect, it } from 'vitest';
import { JOB_VERSION, MillraceError, type ModelCard } from '#contracts';
import { createLogger } from '#observability';
import type { ServedModel } from '#queue';
import type { PromptSource } from '../rendering/prompt-source.ts';
import { modelBody } from './model-body.ts';
import { ModelCatalogue } from './model-catalogue.ts';

const card = (model: string): ModelCard => ({
  version: 1,
  model,
  tokenizerJson: '{}',
  chatTemplate: '',
  templateTokens: {},
  contextLength: 16,
  vocabularySize: 4,
  eosTokenIds: [0],
  createdAt: 0,
  ownedBy: 'us',
});
const served = (model: string, workers = 1): ServedModel => ({
  model,
  cardHash: `hash-${model}`,
  workers,
  slots: workers,
  state: workers > 0 ? 'ready' : 'stopped',
  fewestSlots: 1,
  jobVersion: JOB_VERSION,
});

let now: ServedModel[];
let away: boolean;
let reads: { snapshots: number; cards: string[]; loads: string[]; forgotten: string[]; queues: string[] };
let changed: () => void;
let catalogue: ModelCatalogue;

beforeEach(() => {
  now = [served('a')];
  away = false;
  reads = { snapshots: 0, cards: [], loads: [], forgotten: [], queues: [] };
  const prompts: PromptSource = {
    load: async (hash) => {
      if (hash === 'hash-broken') throw new Error('no such tokenizer');
      reads.loads.push(hash);
      return { tools: 'none', reasoning: null, variables: [] };
    },
    forget: (hash) => void reads.forgotten.push(hash),
    render: async () => ({ tokenIds: new Int32Array([1]), reasoning: 'marked', begun: '', badWordTokenIds: [] }),
  };
  catalogue = new ModelCatalogue(
    {
      directory: {
        snapshot: async () => {
          reads.snapshots += 1;
          if (away) throw new MillraceError('unavailable', 'Redis is away.');
          return now;
        },
        servedSince: async (model) => (model === 'a' ? 1_700_000_000 : 1_800_000_000),
        watch: (listener) => {
          changed = listener;
          return { [Symbol.dispose]: () => {} };
        },
      },
      cards: {
        get: async (hash) => {
          reads.cards.push(hash);
          return card(hash.replace('hash-', ''));
        },
      },
      queues: {
        open: async (model) => {
          if (model === 'unqueued') throw new MillraceError('unavailable', 'Redis is away.');
          reads.queues.push(model);
        },
      },
    },
    prompts,
    createLogger('test', 'silent'),
  );
  return async () => catalogue.close();
});

describe('ModelCatalogue', () => {
  it('has the queue of a model open when the model shows, and shows it also where that fails', async () => {
    now = [served('a'), served('unqueued')];
    await catalogue.start();
    expect(reads.queues).toEqual(['a']);
    expect(catalogue.served().map((model) => model.card.model)).toEqual(['a', 'unqueued']);
  });

  it('knows since when a model is served, which its body tells where its card does not', async () => {
    await catalogue.start();
    const model = await catalogue.find('a');
    expect(modelBody(model).created).toBe(1_700_000_000);
    expect(modelBody({ ...model, card: { ...model.card, createdAt: 5 } }).created).toBe(5);
  });

  it('reads a card once, however often models are refreshed', async () => {
    await catalogue.start();
    await catalogue.refresh();
    expect(reads.cards).toEqual(['hash-a']);
    expect(reads.loads).toEqual(['hash-a']);
    expect((await catalogue.find('a')).liveWorkers).toBe(1);
  });

  it('reads once more for an unknown model before it says that there is none', async () => {
    await catalogue.start();
    now = [served('a'), served('b')];
    expect((await catalogue.find('b')).card.model).toBe('b');
    await expect(catalogue.find('c')).rejects.toMatchObject({ code: 'model_not_found', param: 'model' });
  });

  it('lets a flood of unknown models share readings', async () => {
    await catalogue.start();
    const before = reads.snapshots;
    await Promise.allSettled(Array.from({ length: 500 }, (_, index) => catalogue.find(`nope-${index}`)));
    expect(reads.snapshots - before).toBeLessThanOrEqual(2);
  });

  it('keeps its view while Redis is away, and says so for models that it does not know', async () => {
    await catalogue.start();
    away = true;
    expect((await catalogue.find('a')).liveWorkers).toBe(1);
    await expect(catalogue.find('b')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('keeps a model whose last worker left, but does not list it', async () => {
    await catalogue.start();
    now = [served('a', 0)];
    changed();
    await catalogue.refresh();
    expect(catalogue.served()).toEqual([]);
    expect((await catalogue.find('a')).liveWorkers).toBe(0);
  });

  it('leaves out a model whose card can not be used, and tries that card only once', async () => {
    now = [served('a'), served('broken')];
    await catalogue.start();
    await catalogue.refresh();
    expect(catalogue.served().map((model) => model.card.model)).toEqual(['a']);
    expect(reads.cards.filter((hash) => hash === 'hash-broken')).toHaveLength(1);
  });

  it('forgets the card of a model that nobody knows any more', async () => {
    await catalogue.start();
    now = [];
    await catalogue.refresh();
    expect(reads.forgotten).toEqual(['hash-a']);
  });
});
