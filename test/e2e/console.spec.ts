import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ChunkBody } from '../../apps/api/src/dialects/openai-chat/answer-body.ts';
import { startBrowser } from '../support/browser.ts';
import { TEST_KEY } from '../support/product-process.ts';
import { ScriptedApi } from '../support/scripted-api.ts';

const MODEL = 'an-organisation/a-model-with-a-long-name-70b-instruct-awq-4bit-32k';
const TENANT = 'a-team-whose-name-is-longer-than-most';
/** Every answer begins inside a block of reasoning. */
const TEMPLATE =
  '{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}' +
  '{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}';

let folder: string;
let cluster: ScriptedApi;
/** Null where there is none. */
const browser = await startBrowser();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-console-'));
  await cp('test/fixtures/models/tiny-llama', folder, { recursive: true });
  await writeFile(join(folder, 'chat_template.jinja'), TEMPLATE);
  cluster = await ScriptedApi.start({ model: MODEL, contextLength: 512, folder });
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await cluster?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => {
  cluster.script = async (job) => {
    job.say('Hm</think>Hello');
    job.finish();
  };
});

/** What a page had to complain about; a test takes out what it expects. */
const complaints: string[] = [];
afterEach(async () => {
  await Promise.all(browser?.contexts().map((context) => context.close()) ?? []);
  expect(complaints.splice(0)).toEqual([]);
});

/** The page as a person has it before them; with a key, which `''` leaves out, given as they would. */
async function open(key = TEST_KEY, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser!.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  await page.goto(`${cluster.url}/console`);
  if (key !== '') await giveKey(page, key);
  return page;
}

async function giveKey(page: Page, key: string): Promise<void> {
  await page.getByLabel('Key').fill(key);
  await page.keyboard.press('Enter');
}

const ask = async (page: Page, message: string) => {
  await page.getByLabel('Message').fill(message);
  await page.keyboard.press('Enter');
};
const alertOf = (page: Page) => page.getByRole('alert').textContent();
/** What was said, by whom, as far as it is shown. */
const conversationOf = (page: Page) =>
  page
    .getByRole('log')
    .locator('p:visible')
    .evaluateAll((lines) => lines.map((line) => `${line.getAttribute('data-role')}: ${line.textContent}`));
const speedOf = (page: Page) => page.getByRole('status').textContent();
/** The rows of a table, as texts of their cells. */
const rowsOf = (page: Page, title: string) =>
  page
    .getByRole('table', { name: title })
    .locator('tbody tr')
    .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));

describe.skipIf(browser === null)('the playground', () => {
  it('asks for a key, says what is wrong with it, and goes on with the right one', async () => {
    const page = await open('');
    await expect.poll(() => alertOf(page)).toContain('Give a key');
    await giveKey(page, 'sk-wrong-key');
    await expect.poll(() => alertOf(page)).toContain('not known here');
    expect(complaints.splice(0)).toEqual([expect.stringContaining('401')]);
    await giveKey(page, TEST_KEY);
    await expect.poll(() => page.getByLabel('Model').inputValue()).toBe(MODEL);
    expect(await page.getByRole('alert').isVisible()).toBe(false);
  });

  it('shows an answer as it comes, its reasoning apart, and sends what was said before', async () => {
    const turn = Promise.withResolvers<void>();
    cluster.script = async (job) => {
      job.say('Hm</think>Hel');
      await turn.promise;
      job.say('lo');
      job.finish({ cachedPromptTokens: 16 });
    };
    const page = await open();
    await expect.poll(() => page.getByLabel('Model').inputValue()).toBe(MODEL);
    await page.getByLabel('Temperature').fill('0.5');
    await page.getByLabel('Most tokens').fill('20');
    await page.getByLabel('System').fill('Be brief.');
    await ask(page, 'Who is there?');
    await expect.poll(() => conversationOf(page)).toEqual(['user: Who is there?', 'reasoning: Hm', 'assistant: Hel']);
    turn.resolve();
    await expect.poll(() => conversationOf(page)).toContain('assistant: Hello');
    await expect.poll(() => speedOf(page)).toMatch(/^\d+ \+ 2 tokens, 16 cached, first after \d+ ms, .*tokens\/s$/);
    const first = cluster.lastJob;
    expect(first).toMatchObject({ sampling: { temperature: 0.5 }, stop: { maxTokens: 20 } });
    expect(await page.getByLabel('Message').inputValue()).toBe('');
    await ask(page, 'Who is there?');
    const said = ['user: Who is there?', 'reasoning: Hm', 'assistant: Hello'];
    await expect.poll(() => conversationOf(page)).toEqual([...said, ...said]);
    // The question again, and all that was said to the first.
    expect(cluster.lastJob.promptTokenIds.length).toBeGreaterThan(first.promptTokenIds.length + 10);
  });

  it('stops an answer, keeps a message that nothing was answered to, and begins anew', async () => {
    cluster.script = async (job) => {
      job.say('Hm</think>Once');
      await once(job.cancelled, 'abort');
    };
    const page = await open();
    await expect.poll(() => page.getByLabel('Model').inputValue()).toBe(MODEL);
    await ask(page, 'A story');
    await expect.poll(() => conversationOf(page)).toContain('assistant: Once');
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect.poll(() => cluster.worker.cancels).toContain(cluster.lastJob.requestId);
    expect(await speedOf(page)).toBe('stopped');
    cluster.script = async (job) => job.fail('engine_failed', 'The engine stopped.');
    await ask(page, 'And then?');
    await expect.poll(() => alertOf(page)).toMatch(/\S/);
    expect(complaints.splice(0)).toEqual([expect.stringContaining('500')]);
    expect(await page.getByLabel('Message').inputValue()).toBe('And then?');
    expect(await conversationOf(page)).toEqual(['user: A story', 'reasoning: Hm', 'assistant: Once']);
    await page.getByRole('button', { name: 'New conversation' }).click();
    expect(await conversationOf(page)).toEqual([]);
  });
});

describe.skipIf(browser === null)('what operators see', () => {
  beforeAll(async () => {
    const admin = (method: string, path: string, body: object) => {
      const headers = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };
      return fetch(`${cluster.url}/admin/v1/${path}`, { method, headers, body: JSON.stringify(body) });
    };
    await admin('PUT', `tenants/${TENANT}`, {
      ...{ weight: 3, requestsPerMinute: 600, credits: 'metered' },
      allowance: { credits: 30, period: 'month' },
    });
    await admin('POST', `tenants/${TENANT}/grants`, { grantId: 'one', credits: 20 });
  });

  it('is the queues, the workers, and the tenants with their usage', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Queues and workers' }).click();
    await expect.poll(() => rowsOf(page, 'Queues')).toEqual([[MODEL, '0', '0', '1', '8', '0.0 s', expect.any(String)]]);
    const up = expect.stringMatching(/^\d+ (s|min)$/);
    await expect
      .poll(() => rowsOf(page, 'Workers'))
      .toEqual([[cluster.worker.workerId, 'ready', up, '', MODEL, 'ready', '0', '8', '']]);
    await page.getByRole('button', { name: 'Tenants' }).click();
    await expect
      .poll(() => rowsOf(page, 'Tenants'))
      .toEqual([[TENANT, '', '3', 'all', '600', 'none', 'none', 'metered', '30 a month']]);
    await page.getByRole('button', { name: TENANT }).click();
    const account = /balance 50, held 0, spent 0, left of the allowance 30, which renews on \d{4}-\d\d-01 \(UTC\)$/;
    await expect.poll(() => page.locator('#account').textContent()).toMatch(account);
    expect(await rowsOf(page, 'Usage')).toEqual([['Nothing was used in these days.']]);
  });

  it.each(['light', 'dark'] as const)('fits a narrow window, %s, whatever the names', async (colorScheme) => {
    const page = await open(TEST_KEY, { colorScheme, viewport: { width: 360, height: 740 } });
    await expect.poll(() => page.getByLabel('Model').inputValue()).toBe(MODEL);
    await ask(page, 'x'.repeat(200));
    await expect.poll(() => conversationOf(page)).toContain('assistant: Hello');
    for (const view of ['Playground', 'Queues and workers', 'Tenants']) {
      await page.getByRole('button', { name: view }).click();
      const shown = page.getByRole('region', { name: view });
      if (view !== 'Playground') await expect.poll(() => shown.locator('td').count()).toBeGreaterThan(1);
      expect([view, await page.locator('html').evaluate((html) => html.scrollWidth)]).toEqual([view, 360]);
    }
  });
});

describe('the files', () => {
  it('need no key, and the page has all that it names', async () => {
    const page = await fetch(`${cluster.url}/console`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'self'/);
    const html = await page.text();
    const ids = new Set([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    const open = [...html.matchAll(/(?:href|src)="(\/[^"]+)"/g)].map(([, path]) => path as string);
    const seen = new Set<string>();
    for (const path of open) {
      if (seen.has(path)) continue;
      seen.add(path);
      const file = await fetch(`${cluster.url}${path}`);
      const type = path.endsWith('.css') ? 'text/css' : 'text/javascript';
      expect([path, file.status, file.headers.get('content-type')]).toEqual([path, 200, `${type}; charset=utf-8`]);
      const source = await file.text();
      const imports = [...source.matchAll(/^import .* from '([^']+)'/gm)].map(([, imported]) => imported as string);
      open.push(...imports.map((imported) => new URL(imported, `${cluster.url}${path}`).pathname));
      for (const [, id] of source.matchAll(/(?:\bat|getElementById)\('([^']+)'\)/g))
        expect([path, ids.has(id)]).toEqual([path, true]);
    }
    expect(seen).toContain('/console/playground.js');
    for (const path of ['/console/README.md', '/console/..%2f..%2fpackage.json', '/console/index']) {
      expect((await fetch(`${cluster.url}${path}`)).status, path).toBe(404);
    }
    expect((await fetch(`${cluster.url}/console`, { method: 'POST' })).status).toBe(405);
  });

  it('read streams as they are sent, however they are cut', async () => {
    const source = await (await fetch(`${cluster.url}/console/events.js`)).text();
    const { readEvents } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
    cluster.script = async (job) => {
      for (const text of ['Hm</think>', 'Hé', 'llo\n\n', 'data: 😀']) job.say(text);
      job.finish();
    };
    const answer = await fetch(`${cluster.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'Hi' }], stream: true }),
    });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    // Cut anywhere, as networks do.
    const body = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.subarray(at, at + 7));
        controller.close();
      },
    });
    const events: string[] = [];
    for await (const { data } of readEvents(body)) if (data !== undefined) events.push(data);
    expect(events.pop()).toBe('[DONE]');
    const texts = events.map((event) => ChunkBody.parse(JSON.parse(event)).choices[0]?.delta.content ?? '');
    expect(texts.join('')).toBe('Héllo\n\ndata: 😀');
  });
});

describe.skipIf(browser === null)('without a mouse, or without seeing', () => {
  it('everything that can be used has a name and is reached by the keyboard, in the order of the page', async () => {
    const page = await open();
    await expect.poll(() => page.getByLabel('Model').inputValue()).toBe(MODEL);
    await page.getByRole('heading', { name: 'Millrace' }).click();
    const reached: string[] = [];
    for (let presses = 0; presses < 12; presses++) {
      await page.keyboard.press('Tab');
      const focused = page.locator(':focus');
      // A line such as `- textbox "Key": …`, as a screen reader would say it.
      reached.push((await focused.ariaSnapshot()).split('\n')[0]!.replace(/^- (\w+) "([^"]*)".*$/, '$1 $2'));
      if (reached.at(-1) === 'button New conversation') break;
    }
    expect(reached).toEqual([
      ...['button Playground', 'button Queues and workers', 'button Tenants', 'textbox Key', 'combobox Model'],
      ...['spinbutton Temperature', 'spinbutton Most tokens', 'textbox System', 'textbox Message'],
      ...['button Send', 'button New conversation'],
    ]);
    await page.getByRole('button', { name: 'Tenants' }).press('Enter');
    await expect.poll(() => page.getByRole('button', { name: 'Tenants' }).getAttribute('aria-current')).toBe('page');
    expect(await page.getByRole('table').count()).toBe(2);
  });
});
