import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/model-folder.ts';
import { HubError } from './hub-error.ts';
import { type PullOptions, pullModel } from './pull-model.ts';

const TINY = fileURLToPath(new URL('../../../../test/fixtures/models/tiny-llama', import.meta.url));
const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const SMALL = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
];

/** A stand-in for the hub: serves files at Hugging Face's addresses and breaks as a test wants. */
class Hub {
  readonly files = new Map<string, Buffer>();
  readonly requests: { path: string; range: string | undefined }[] = [];
  /** In front of every address, as a mirror has it that is one of several services of its host. */
  below = '';
  /** Answers instead of the hub when it returns true. */
  interfere: (path: string, request: IncomingMessage, response: ServerResponse, body: Buffer | undefined) => boolean =
    () => false;
  token: string | undefined;
  readonly #server: Server = createServer((request, response) => this.#answer(request, response));

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  url = '';

  downloads(file: string): (string | undefined)[] {
    return this.requests.filter(({ path }) => path.endsWith(`/resolve/${COMMIT}/${file}`)).map(({ range }) => range);
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (!request.url?.startsWith(this.below)) return void response.writeHead(404).end();
    const url = new URL(request.url.slice(this.below.length), this.url);
    const { range, authorization } = request.headers;
    this.requests.push({ path: url.pathname, range });
    const status = (code: number) => response.writeHead(code).end();
    const json = (value: unknown, headers = {}) => response.writeHead(200, headers).end(JSON.stringify(value));
    const body = this.files.get(url.pathname.split(`/resolve/${COMMIT}/`)[1] ?? '');
    if (this.interfere(url.pathname, request, response, body)) return;
    if (this.token !== undefined && authorization !== `Bearer ${this.token}`) return void status(401);
    if (url.pathname === '/api/models/org/tiny/revision/main') return void json({ sha: COMMIT });
    if (url.pathname === `/api/models/org/tiny/tree/${COMMIT}`) {
      const all = [...this.files.keys()];
      const second = url.searchParams.has('cursor');
      const page = (second ? all.slice(3) : all.slice(0, 3)).map((path) => this.#listed(path));
      const link = `<${this.url}${this.below}${url.pathname}?recursive=true&cursor=x>; rel="next"`;
      return void json(page, second ? {} : { link });
    }
    if (body === undefined) return void status(404);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    if (from === 0) return void response.writeHead(200).end(body);
    response.writeHead(206, { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` });
    response.end(body.subarray(from));
  }

  #listed(path: string): object {
    const body = this.files.get(path)!;
    const oid = createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');
    if (!/onnx/.test(path)) return { type: 'file', path, size: body.length, oid };
    const sha256 = createHash('sha256').update(body).digest('hex');
    return {
      type: 'file',
      path,
      size: 134,
      oid: 'f'.repeat(40),
      lfs: { oid: sha256, size: body.length, pointerSize: 134 },
    };
  }
}

let hub: Hub;
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-pull-'));
  hub = new Hub();
  for (const name of SMALL) hub.files.set(name, await readFile(join(TINY, name)));
  hub.files.set('onnx/model.onnx', await readFile(join(TINY, 'model.onnx')));
  hub.files.set('pytorch_model.bin', Buffer.from('not wanted'));
  await hub.listen();
});
afterEach(async () => {
  await hub.close();
  await rm(root, { recursive: true, force: true });
});

const pull = (options: Partial<PullOptions> = {}) =>
  pullModel({ repo: 'org/tiny', folder: join(root, 'tiny'), hubUrl: hub.url, retryMs: 1, idleMs: 2_000, ...options });

async function failure(options: Partial<PullOptions> = {}): Promise<string> {
  const error = await pull(options).catch((cause) => cause);
  expect(error).toBeInstanceOf(HubError);
  expect(await readdir(root)).not.toContain('tiny');
  return error.message;
}

describe('pullModel', () => {
  it('downloads what a model folder needs, over all pages of the list, and puts it in place at once', async () => {
    const seen: number[] = [];
    const pulled = await pull({ onProgress: ({ bytes }) => seen.push(bytes) });
    expect(pulled).toMatchObject({ commit: COMMIT, files: [...SMALL, 'onnx/model.onnx'] });
    expect(seen.at(-1)).toBe(pulled.totalBytes);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect((await openModelFolder(pulled.folder)).config.vocabularySize).toBe(384);
    expect(await readdir(root)).toEqual(['tiny']);
    expect(hub.downloads('pytorch_model.bin')).toEqual([]);
  });

  it('takes one variant as model.onnx and names the others when it is missing', async () => {
    hub.files.set('onnx/model_q4.onnx', hub.files.get('onnx/model.onnx')!);
    hub.files.set('onnx/model_q4.onnx_data', Buffer.from('weights'));
    expect(await failure({ variant: 'fp16' })).toMatch(/no onnx\/model_fp16\.onnx.*--variant .*onnx\/model_q4\.onnx/);
    const { files, folder } = await pull({ variant: 'q4' });
    expect(files.slice(-2)).toEqual(['onnx/model.onnx', 'onnx/model_q4.onnx_data']);
    expect(await readFile(join(folder, 'onnx/model_q4.onnx_data'), 'utf8')).toBe('weights');
  });

  it('goes on where a broken connection stopped, with Range', async () => {
    let breaks = 2;
    hub.interfere = (path, request, response, body) => {
      if (!path.endsWith('model.onnx') || body === undefined || breaks === 0) return false;
      breaks -= 1;
      const from = Number(/(\d+)/.exec(request.headers.range ?? '0')?.[1]);
      response.writeHead(from > 0 ? 206 : 200, {
        'content-length': body.length - from,
        ...(from > 0 && { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` }),
      });
      response.write(body.subarray(from, from + 100_000), () => setTimeout(() => response.destroy(), 20));
      return true;
    };
    const { folder } = await pull();
    expect(await readFile(join(folder, 'onnx/model.onnx'))).toEqual(hub.files.get('onnx/model.onnx'));
    const [first, ...rest] = hub.downloads('onnx/model.onnx');
    expect(first).toBeUndefined();
    expect(rest).toHaveLength(2);
    for (const range of rest) expect(range).toMatch(/^bytes=[1-9]\d+-$/);
  });

  it('keeps finished files and parts for the next call, when the hub does not come back', async () => {
    hub.interfere = (path, _request, response, body) => {
      if (!path.endsWith('model.onnx') || body === undefined) return false;
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, 200_000), () => setTimeout(() => response.destroy(), 20));
      return true;
    };
    expect(await failure()).toMatch(/model\.onnx: .*Remedy: run the command again: it goes on where it stopped/);
    hub.interfere = () => false;
    hub.requests.length = 0;
    await pull();
    expect(hub.downloads('tokenizer.json')).toEqual([]);
    expect(hub.downloads('onnx/model.onnx')[0]).toMatch(/^bytes=\d+-$/);
  });

  it('begins anew with a hub that does not know Range', async () => {
    let broken = false;
    hub.interfere = (path, _request, response, body) => {
      if (!path.endsWith('model.onnx') || body === undefined) return false;
      response.writeHead(200, { 'content-length': body.length });
      if (broken) response.end(body);
      else response.write(body.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 20));
      broken = true;
      return true;
    };
    const { folder } = await pull();
    expect(await readFile(join(folder, 'onnx/model.onnx'))).toEqual(hub.files.get('onnx/model.onnx'));
  });

  it('refuses wrong bytes and takes them out of the way', async () => {
    hub.interfere = (path, _request, response, body) => {
      if (!path.endsWith('model.onnx') || body === undefined) return false;
      const wrong = Buffer.from(body);
      wrong[1000]! ^= 1;
      response.writeHead(200).end(wrong);
      return true;
    };
    expect(await failure()).toMatch(/its sha256 is [0-9a-f]{64}, the hub's list says [0-9a-f]{64}/);
    hub.interfere = () => false;
    await pull();
    expect(hub.downloads('onnx/model.onnx').at(-1)).toBeUndefined();
  });

  it('says what to do about 401, 404, a busy hub, silence and no network', async () => {
    hub.token = 'secret-token';
    expect(await failure()).toMatch(/refuses access \(401\).*set MILLRACE_HUB_TOKEN/);
    expect(await failure({ token: 'wrong' })).toMatch(/that the token may read it/);
    await pull({ token: 'secret-token', folder: join(root, 'private') });
    hub.token = undefined;
    expect(await failure({ revision: 'nope' })).toMatch(/org\/tiny@nope: the hub does not have it \(404\).*--revision/);
    expect(await failure({ repo: '../etc' })).toMatch(/no name of a repository.*owner\/name/);
    hub.requests.length = 0;
    hub.interfere = (_path, _request, response) => Boolean(response.writeHead(503).end());
    expect(await failure()).toMatch(/answered 503.*try again later/);
    expect(hub.requests).toHaveLength(5);
    hub.interfere = () => true;
    expect(await failure({ idleMs: 30 })).toMatch(/cannot be reached/);
    await hub.close();
    expect(await failure()).toMatch(
      /cannot be reached \(ECONNREFUSED\).*MILLRACE_HUB_URL to a mirror; without a network copy a model folder/,
    );
  });

  it('asks a mirror that lies below a path of its host', async () => {
    hub.below = '/api/huggingfaceml/mirror';
    const { files } = await pull({ hubUrl: `${hub.url}${hub.below}/` });
    expect(files).toContain('onnx/model.onnx');
  });

  it('tells what the hub says of a refusal', async () => {
    const said = 'Access to model org/tiny is restricted.';
    hub.interfere = (_path, _request, response) => Boolean(response.writeHead(403, { 'x-error-message': said }).end());
    expect(await failure()).toMatch(/refuses access \(403: Access to model org\/tiny is restricted\)/);
  });

  it('follows no list whose pages go round', async () => {
    hub.interfere = (path, _request, response) => {
      if (!path.includes('/tree/')) return false;
      const link = `<${hub.url}/api/models/org/tiny/tree/${COMMIT}?cursor=same>; rel="next"`;
      return Boolean(response.writeHead(200, { link }).end('[]'));
    };
    expect(await failure()).toMatch(/pages of the hub's list go round/);
  });

  it('keeps a second download out of the same folder, and goes on when the first was killed', async () => {
    let release = () => {};
    const held = new Promise<void>((done) => {
      release = done;
    });
    hub.interfere = (path, _request, response, body) => {
      if (!path.endsWith('model.onnx')) return false;
      void held.then(() => response.writeHead(200).end(body));
      return true;
    };
    const first = pull();
    await expect.poll(() => hub.downloads('onnx/model.onnx')).toHaveLength(1);
    await expect(pull()).rejects.toThrow(/another download into .*tiny is running.*wait for it/);
    release();
    expect((await first).files).toContain('onnx/model.onnx');
    const other = join(root, 'other');
    await writeFile(`${other}.download.lock`, '999999999');
    await pull({ folder: other });
    expect(await readdir(root)).toEqual(['other', 'tiny']);
  });

  it('leaves alone what is in its place, and says what cannot be written', async () => {
    const file = join(root, 'file');
    await writeFile(file, 'keep');
    await expect(pull({ folder: file })).rejects.toThrow(
      /file is no folder\. Remedy: remove it or name another folder/,
    );
    await expect(pull({ folder: join(file, 'below') })).rejects.toThrow(HubError);
    await mkdir(join(root, 'mine.download'));
    await writeFile(join(root, 'mine.download/notes.txt'), 'keep');
    await expect(pull({ folder: join(root, 'mine') })).rejects.toThrow(/mine\.download is there, and is no download/);
    expect(await readFile(file, 'utf8')).toBe('keep');
    expect(await readFile(join(root, 'mine.download/notes.txt'), 'utf8')).toBe('keep');
  });

  it.runIf(existsSync('/dev/full'))('stops at once at a disk that is full, with what to do', async () => {
    await mkdir(join(root, 'tiny.download', 'onnx'), { recursive: true });
    await writeFile(join(root, 'tiny.download', '.revision'), `org/tiny@${COMMIT}  `);
    await symlink('/dev/full', join(root, 'tiny.download', 'onnx', 'model.onnx.part'));
    expect(await failure()).toMatch(/tiny cannot be written \(ENOSPC.*make room there/);
    expect(hub.downloads('onnx/model.onnx')).toHaveLength(1);
  });

  it('writes nothing outside the folder, whatever the hub lists', async () => {
    hub.files.set('onnx/model.onnx_data/../../../../evil', Buffer.from('x'));
    const { files } = await pull();
    expect(files.join()).not.toContain('evil');
  });
});
