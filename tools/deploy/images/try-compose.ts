import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { Nginx } from '../../../test/support/nginx.ts';
import { redisBinary } from '../../../test/support/redis-server.ts';
import { output } from './program.ts';
import { StartedImage } from './started-image.ts';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const START_MS = 120_000;
const REDIS_PORT = 6390;

interface Service {
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
}

/**
 * What differs from Docker: all services share this machine's network, so each has ports of its own, and names of services
 * are 127.0.0.1.
 */
const PLACES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'api-1': { MILLRACE_HTTP_PORT: '8000', MILLRACE_MANAGEMENT_PORT: '8001', MILLRACE_RELAY_PORT: '9000' },
  'api-2': { MILLRACE_HTTP_PORT: '8010', MILLRACE_MANAGEMENT_PORT: '8011', MILLRACE_RELAY_PORT: '9010' },
  'worker-1': { MILLRACE_WORKER_PORT: '8002' },
  'worker-2': { MILLRACE_WORKER_PORT: '8012' },
};

/**
 * Runs the services of docker-compose.yml with their own settings, secrets and health checks: Redis by its command, two
 * replicas and two workers from the images, nginx before them. Sends streams through, replaces a replica under them, and
 * stops everything.
 */
export async function tryCompose(): Promise<void> {
  const services = parse(readFileSync(`${repository}docker-compose.yml`, 'utf8'), { merge: true }).services;
  const folder = mkdtempSync(join(tmpdir(), 'millrace-compose-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'docker/compose'), { recursive: true });
  cpSync(`${repository}docker/compose/make-secrets.sh`, join(folder, 'docker/compose/make-secrets.sh'));
  output('sh', [join(folder, 'docker/compose/make-secrets.sh')]);
  const secret = (name: string): string => join(folder, 'secrets', name);

  const redis = startRedis(services.redis.command, folder, secret('redis-password'));
  stack.defer(async () => void (await stopped(redis)));
  const start = (name: string): StartedImage => stack.use(startService(name, services[name], secret));
  const [api1, api2] = [start('api-1'), start('api-2')];
  for (const name of ['api-1', 'api-2']) await healthy(name === 'api-1' ? api1 : api2, name, services[name]);
  const workers = ['worker-1', 'worker-2'].map((name) => ({ name, image: start(name) }));
  for (const { name, image } of workers) await healthy(image, name, services[name]);
  const nginx = stack.use(await Nginx.before([8000, 8010]));

  const key = readFileSync(secret('api-key'), 'utf8').trim();
  const answers = await Promise.all(Array.from({ length: 8 }, () => ask(nginx.url, key)));
  assert.equal(new Set(answers).size, 1, 'every replica and worker gives the same greedy answer');
  console.log(`eight streams through nginx: ${answers[0]}`);
  assert.equal((await fetch(`${nginx.url}/v1/models`)).status, 401, 'without the key nothing');

  const during = Array.from({ length: 8 }, () => ask(nginx.url, key));
  await sleep(200);
  assert.equal(await api2.stop(), 0, api2.log.slice(-2_000));
  assert.deepEqual(new Set([...(await Promise.all(during)), await ask(nginx.url, key)]), new Set(answers));
  console.log('a replica stopped under eight streams, none of which noticed');
  for (const { image } of workers) assert.equal(await image.stop(), 0, image.log.slice(-2_000));
  assert.equal(await api1.stop(), 0, api1.log.slice(-2_000));
  assert.equal(await stopped(redis), 0);
  console.log('The services of docker-compose.yml run with its settings and secrets, and stop cleanly.');
}

function startRedis(command: readonly string[], folder: string, passwordFile: string): ChildProcess {
  const [program = '', ...rest] = command.map((word) =>
    word
      .replaceAll('$$', '$')
      .replace('redis-server', redisBinary())
      .replace('--dir /data', `--dir ${folder} --port ${REDIS_PORT} --bind 127.0.0.1`)
      .replace('/run/secrets/redis-password', passwordFile),
  );
  return spawn(program, rest, { stdio: 'ignore' });
}

async function stopped(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  return child.exitCode;
}

function startService(name: string, service: Service, secret: (name: string) => string): StartedImage {
  const environment = Object.entries(service.environment).map(([setting, value]) => [
    setting,
    String(value).replace(/^\$\{\w+:-(.*)\}$/, '$1'),
  ]);
  const placed = {
    ...Object.fromEntries(environment),
    ...PLACES[name],
    REDIS_URL: `redis://127.0.0.1:${REDIS_PORT}`,
    ...(name.startsWith('api') && { MILLRACE_RELAY_ADVERTISED_HOST: '127.0.0.1' }),
  };
  const files = Object.fromEntries(service.secrets.map((each) => [`/run/secrets/${each}`, secret(each)]));
  return new StartedImage(service.image.replace('millrace-', ''), placed, files);
}

/** Waits as Compose does: until the service's own health check passes. */
async function healthy(image: StartedImage, name: string, { healthcheck }: Service): Promise<void> {
  const [, ...command] = healthcheck.test;
  const { MILLRACE_MANAGEMENT_PORT, MILLRACE_WORKER_PORT } = PLACES[name] ?? {};
  const port = MILLRACE_MANAGEMENT_PORT ?? MILLRACE_WORKER_PORT ?? '';
  const giveUpAtMs = performance.now() + START_MS;
  while (image.running && performance.now() < giveUpAtMs) {
    const { code } = await image.say(command.map((word) => (/^80\d\d$/.test(word) ? port : word)));
    if (code === 0) return;
    await sleep(500);
  }
  throw new Error(`${name} is not healthy:\n${image.log.slice(-4_000)}`);
}

/** The words of a streamed greedy answer. */
async function ask(url: string, key: string): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'smollm2-135m-instruct',
      messages: [{ role: 'user', content: 'Say hello in one short sentence.' }],
      temperature: 0,
      max_tokens: 24,
      stream: true,
    }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.match(text, /data: \[DONE\]\n\n$/);
  return [...text.matchAll(/"content":"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]).join('');
}
