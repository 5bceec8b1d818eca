import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisServer } from '../../../test/support/redis-server.ts';
import { StartedImage } from './started-image.ts';

const KEY = 'image-test-key';
const START_MS = 60_000;

/**
 * Starts the API's and the CPU worker's image beside a real Redis and sends one streamed request through; checks user,
 * read-only root, health check, bill of materials and the answer to SIGTERM.
 */
export async function tryImages(): Promise<void> {
  await using redis = await RedisServer.start();
  const shared = { REDIS_URL: redis.url, MILLRACE_RELAY_TOKEN: 'image-test-relay-token' };
  await using api = new StartedImage('api', {
    ...shared,
    MILLRACE_DEV_KEY: KEY,
    MILLRACE_RELAY_ADVERTISED_HOST: '127.0.0.1',
  });
  await using worker = new StartedImage('worker-cpu', shared);
  await ready(api, 8001);
  await ready(worker, 8002);

  for (const [image, port] of [
    [api, '8001'],
    [worker, '8002'],
  ] as const) {
    assert.equal((await image.say(['id', '-u'])).text.trim(), '1000', 'the image runs as user 1000');
    const written = await image.say(['touch', '/millrace/x']);
    assert.match(written.text, /Read-only file system/);
    assert.equal((await image.say(['node', 'healthcheck.mjs', port, '/readyz'])).code, 0, 'the health check passes');
    assert.equal(
      (await image.say(['node', 'healthcheck.mjs', '1', '/readyz'])).code,
      1,
      'and fails where nobody answers',
    );
    const bill = JSON.parse((await image.say(['cat', 'sbom.cdx.json'])).text) as { components: unknown[] };
    console.log(`${bill.components.length} components in the bill of materials`);
  }

  const startedAt = performance.now();
  const response = await fetch('http://127.0.0.1:8000/v1/chat/completions', {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'smollm2-135m-instruct',
      messages: [{ role: 'user', content: 'Say hello in one short sentence.' }],
      max_tokens: 24,
      stream: true,
    }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.match(text, /data: \[DONE\]/);
  const words = [...text.matchAll(/"content":"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]).join('');
  console.log(`answered in ${Math.round(performance.now() - startedAt)} ms: ${words}`);

  assert.equal(await worker.stop(), 0, `the worker leaves with 0:\n${worker.log.slice(-2000)}`);
  assert.equal(await api.stop(), 0, `the API leaves with 0:\n${api.log.slice(-2000)}`);
  console.log('Both images start, answer a request and stop cleanly.');
}

async function ready(image: StartedImage, port: number): Promise<void> {
  const giveUpAtMs = performance.now() + START_MS;
  while (image.running && performance.now() < giveUpAtMs) {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (response?.ok) return;
    await sleep(200);
  }
  throw new Error(`${image.config.Cmd.join(' ')} is not ready on port ${port}:\n${image.log.slice(-4000)}`);
}
