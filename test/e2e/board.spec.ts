import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.ts';

const MODEL = 'tiny-llama';
const modelFolder = fileURLToPath(new URL(`../fixtures/models/${MODEL}`, import.meta.url));
const BOARD_KEY = 'board-key-0123456789';
/** As a browser sends it that asked its user for a name and a password. */
const asUser = { authorization: `Basic ${Buffer.from(`anybody:${BOARD_KEY}`).toString('base64')}` };

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({
    modelFolder,
    api: { MILLRACE_BOARD_KEY: BOARD_KEY },
    worker: { MILLRACE_SLOTS: '1', MILLRACE_SLOT_TOKENS: '512', MILLRACE_PARKING_SLOTS: '0' },
  });
}, 60_000);

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const board = (path: string, init: RequestInit = { headers: asUser }) =>
  fetch(`${cluster.api.managementUrl}/queues${path}`, init);

interface ShownQueue {
  readonly name: string;
  readonly readOnlyMode: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly jobs: readonly { readonly id: string; readonly data: Readonly<Record<string, unknown>> }[];
}

async function shownQueue(query: string): Promise<ShownQueue> {
  const response = await board(`/api/queues?${query}`);
  expect(response.status).toBe(200);
  const { queues } = (await response.json()) as { queues: ShownQueue[] };
  expect(queues.map(({ name }) => name)).toEqual([`{${MODEL}}`]);
  return queues[0]!;
}

const chat = () =>
  cluster.post({ model: MODEL, messages: [{ role: 'user', content: 'go on' }], max_tokens: 400, ignore_eos: true });

describe('the board of the queues', () => {
  it.each(['', '/', '/api/queues', '/static/favicon-32x32.png'])(
    'shows nothing of /queues%s without its key',
    async (path) => {
      for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
        const response = await board(path, { headers });
        expect([response.status, response.headers.get('www-authenticate')]).toEqual([
          401,
          'Basic realm="Millrace queues"',
        ]);
      }
    },
  );

  it('is a page for whoever has it, and nowhere on the port of clients', async () => {
    const page = await board('/');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
    const text = await page.text();
    expect(text).toContain('Millrace');
    const [, script] = /src="([^"]+\.js)"/.exec(text) ?? [];
    const loaded = await fetch(new URL(script!, `${cluster.api.managementUrl}/queues/`), { headers: asUser });
    expect([loaded.status, loaded.headers.get('content-type')]).toEqual([200, expect.stringContaining('javascript')]);
    const bearer = { authorization: `Bearer ${BOARD_KEY}` };
    expect((await board('/api/queues', { headers: bearer })).status).toBe(200);
    expect((await fetch(`${cluster.url}/queues/`, { headers: bearer })).status).toBe(404);
  });

  it('shows running and waiting jobs without what was asked, and lets nobody touch them', async () => {
    // Seconds of work for the only slot.
    const asked = Array.from({ length: 12 }, chat);
    await expect.poll(async () => (await shownQueue('')).counts.prioritized).toBeGreaterThan(8);
    await expect.poll(async () => (await shownQueue('')).counts.active).toBe(1);

    const { jobs, readOnlyMode } = await shownQueue(`activeQueue=%7B${MODEL}%7D&status=prioritized`);
    expect(readOnlyMode).toBe(true);
    expect(jobs.length).toBeGreaterThan(0);
    const { id, data } = jobs.at(-1)!;
    expect(data).toMatchObject({ tenantId: 'dev', model: MODEL, epoch: 1, promptTokens: expect.any(Number) });
    expect(Object.keys(data)).not.toEqual(expect.arrayContaining(['promptTokenIds']));
    const name = encodeURIComponent(`{${MODEL}}`);
    const one = await board(`/api/queues/${name}/${encodeURIComponent(id)}`);
    expect([one.status, await one.text()]).toEqual([200, expect.not.stringContaining('promptTokenIds')]);

    for (const action of [`${encodeURIComponent(id)}/clean`, `${encodeURIComponent(id)}/retry`, 'pause', 'empty']) {
      const refused = await board(`/api/queues/${name}/${action}`, { method: 'PUT', headers: asUser });
      expect([action, refused.status]).toEqual([action, 405]);
    }
    for (const response of await Promise.all(asked)) {
      expect(await response.json()).toMatchObject({ choices: [{ finish_reason: 'length' }] });
    }
  });
});
