import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { redisBinary } from '../../../test/support/redis-server.ts';
import { render } from '../kustomize/render.ts';
import { podLifecycle } from '../lifecycle/pod-lifecycle.ts';
import { output } from './program.ts';
import { StartedImage } from './started-image.ts';

const REDIS_PORT = 6391;
const KEY = 'overlay-test-key';
const PASSWORD = 'overlay-test-password';

interface SecretSource {
  readonly name?: string;
  readonly secretName?: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
}
interface Pod {
  readonly containers: readonly {
    readonly env: readonly { readonly name: string; readonly value?: string }[];
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  }[];
  readonly volumes: readonly {
    readonly name: string;
    readonly secret?: SecretSource;
    readonly projected?: { readonly sources: readonly { readonly secret: SecretSource }[] };
  }[];
}

/** What the cluster would fill in, and what has another place here: this machine's network, a model that is in the image. */
const PLACES: Readonly<Record<string, string>> = {
  REDIS_URL: `rediss://127.0.0.1:${REDIS_PORT}`,
  MILLRACE_RELAY_ADVERTISED_HOST: '127.0.0.1',
  MILLRACE_WORKER_ID: 'millrace-worker-0',
  MILLRACE_THREADS: '2',
  MILLRACE_MODEL: 'smollm2-135m-instruct',
};

/**
 * Runs the API's and the worker's pod of an overlay with their settings and mounted secrets beside a Redis that speaks TLS
 * and wants a password, with certificates made as docs/operations/deployment.md says, and sends one request through.
 */
export async function tryOverlay(overlay: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-overlay-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true }));
  const secrets = makeSecrets(folder);
  const tls = ['--tls-cert-file', join(folder, 'redis.crt'), '--tls-key-file', join(folder, 'redis.key')];
  const redis = spawn(
    redisBinary(),
    [
      ...['--port', '0', '--tls-port', String(REDIS_PORT), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
      ...[...tls, '--tls-ca-cert-file', join(folder, 'ca.crt'), '--tls-auth-clients', 'no', '--requirepass', PASSWORD],
    ],
    { stdio: 'ignore' },
  );
  stack.defer(() => void redis.kill('SIGTERM'));

  const api = stack.use(startPod(overlay, 'api', secrets));
  await ready(api, overlay, 'api');
  const worker = stack.use(startPod(overlay, 'worker', secrets));
  await ready(worker, overlay, 'worker');
  const response = await fetch('http://127.0.0.1:8000/v1/chat/completions', {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'smollm2-135m-instruct',
      messages: [{ role: 'user', content: 'Say hello in one short sentence.' }],
      max_tokens: 16,
    }),
  });
  assert.equal(response.status, 200, await response.text());
  assert.equal(await worker.stop(), 0, worker.log.slice(-2_000));
  assert.equal(await api.stop(), 0, api.log.slice(-2_000));
  console.log(`The pods of k8s/overlays/${overlay} run with their settings, secrets and certificates.`);
}

/** @returns by `secret/key`, the file that holds it */
function makeSecrets(folder: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const values = { 'api-key': KEY, 'relay-token': 'overlay-test-relay-token', 'redis-password': PASSWORD };
  for (const [key, value] of Object.entries(values)) {
    writeFileSync(join(folder, key), value);
    files.set(`millrace-secrets/${key}`, join(folder, key));
  }
  const certificate = (name: string, alternative: string): string => `
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${name}.key -out ${name}.csr -subj "/CN=${name}"
    printf 'subjectAltName=${alternative}\\n' | openssl x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile /dev/stdin -out ${name}.crt`;
  const script = `set -e; cd ${folder}
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ca.key -out ca.crt -subj "/CN=test"
    ${certificate('tls', 'DNS:millrace-relay')}
    ${certificate('redis', 'IP:127.0.0.1')}`;
  output('sh', ['-c', script]);
  for (const name of ['tls.crt', 'tls.key', 'ca.crt']) files.set(`millrace-relay-tls/${name}`, join(folder, name));
  files.set('millrace-redis-ca/ca.crt', join(folder, 'ca.crt'));
  return files;
}

function startPod(overlay: string, app: 'api' | 'worker', secrets: ReadonlyMap<string, string>): StartedImage {
  const objects = render(fileURLToPath(new URL(`../../../k8s/overlays/${overlay}`, import.meta.url)));
  const named = (kind: string, name: string) =>
    objects.find((each) => each.kind === kind && each.metadata.name === name);
  const config = named('ConfigMap', 'millrace-config')?.data as Record<string, string> | undefined;
  const deployment = named('Deployment', `millrace-${app}`)?.spec as { template: { spec: Pod } } | undefined;
  const pod = deployment?.template.spec;
  const container = pod?.containers[0];
  if (config === undefined || pod === undefined || container === undefined)
    throw new Error(`k8s/overlays/${overlay} has no Deployment millrace-${app} with its ConfigMap.`);
  const own = container.env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]));
  // Of what has another place here, what this app has a setting for.
  const asked = new Set([...Object.keys(config), ...container.env.map(({ name }) => name)]);
  const placed = Object.entries(PLACES).filter(([name]) => asked.has(name));
  // Nobody collects traces here.
  const { OTEL_EXPORTER_OTLP_ENDPOINT: _, ...settings } = config;
  const environment = { ...settings, ...Object.fromEntries(own), ...Object.fromEntries(placed) };
  return new StartedImage(app === 'api' ? 'api' : 'worker-cpu', environment, mountedFiles(pod, secrets));
}

/** By the path in the container, every file that the pod's secrets put there. */
function mountedFiles(pod: Pod, secrets: ReadonlyMap<string, string>): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, mountPath } of pod.containers[0]?.volumeMounts ?? []) {
    const volume = pod.volumes.find((each) => each.name === name);
    const sources = volume?.projected?.sources.map(({ secret }) => secret) ?? [volume?.secret];
    for (const source of sources) {
      const secretName = source?.secretName ?? source?.name;
      for (const [key, file] of secrets) {
        const [ofSecret, ofKey = ''] = key.split('/');
        if (ofSecret !== secretName) continue;
        const path = source?.items === undefined ? ofKey : source.items.find((item) => item.key === ofKey)?.path;
        if (path !== undefined) files[`${mountPath}/${path}`] = file;
      }
    }
  }
  return files;
}

/** As long as the startup probe allows. */
async function ready(image: StartedImage, overlay: string, app: 'api' | 'worker'): Promise<void> {
  const { path, port, periodMs, failureThreshold } = podLifecycle(app, overlay).startup;
  for (let failures = 0; image.running && failures < failureThreshold; failures += 1) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => null);
    if (response?.ok) return;
    await sleep(periodMs);
  }
  throw new Error(`the ${app} of ${overlay} is not ready:\n${image.log.slice(-4_000)}`);
}
