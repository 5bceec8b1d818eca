import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ApiSettings, readSettings, WorkerSettings } from '#config';
import { render } from './kustomize/render.ts';
import { podLifecycle } from './lifecycle/pod-lifecycle.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(`${repository}${path}`, 'utf8');
const schemas = { api: ApiSettings, worker: WorkerSettings };
const names = { api: Object.keys(ApiSettings.shape), worker: Object.keys(WorkerSettings.shape) };

/** Time that closing takes after the grace time at most; `STOP_MARGIN_MS` of the worker's main.ts. */
const STOP_MARGIN_MS = 8_000;
/** Values that the cluster fills in. */
const filledIn: Record<string, string> = {
  MILLRACE_THREADS: '4',
  MILLRACE_WORKER_ID: 'worker-0',
  MILLRACE_BOARD_KEY: 'a-key-of-16-or-more',
  MILLRACE_RELAY_ADVERTISED_HOST: '10.0.0.1',
};

const folder = mkdtempSync(join(tmpdir(), 'millrace-deploy-'));
afterAll(() => rmSync(folder, { recursive: true }));
const secret = join(folder, 'secret');
writeFileSync(secret, 'a-secret-of-16-or-more');
const certificate = join(folder, 'certificate');
writeFileSync(certificate, '-----BEGIN CERTIFICATE-----');

type App = keyof typeof schemas;

function dockerEnvironment(image: string): Record<string, string> {
  const text = read(`docker/${image}.Dockerfile`);
  return Object.fromEntries([...text.matchAll(/(MILLRACE_\w+)=(\S+)/g)].map(([, name, value]) => [name!, value!]));
}

/** Checks that settings are known, that every secret comes from a mounted file, and that the whole is valid. */
function checkedEnvironment(
  app: App,
  given: Record<string, string>,
  mounted: readonly string[],
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const setting = name.replace(/_FILE$/, '');
    expect([...names.api, ...names.worker]).toContain(setting);
    if (name.endsWith('_FILE')) {
      expect(mounted, name).toContain(value);
      environment[name] = /_(CERT|CA)_|RELAY_KEY/.test(name) ? certificate : secret;
    } else environment[name] = value.replace(/^\$\{\w+:-(.*)\}$/, '$1');
  }
  expect(() => readSettings<typeof ApiSettings | typeof WorkerSettings>(schemas[app], environment)).not.toThrow();
  return environment;
}

describe.each([
  ['api', 'api-1', 'api'],
  ['api', 'api-2', 'api'],
  ['worker', 'worker-1', 'worker-cpu'],
  ['worker', 'worker-2', 'worker-cpu'],
  ['worker', 'worker-gpu', 'worker-gpu'],
] as const)('the %s of docker-compose.yml, %s', (app, name, imageName) => {
  it('gets only settings that exist and are valid, its secrets as files, and time to stop', () => {
    const service = parse(read('docker-compose.yml'), { merge: true }).services[name];
    const image = dockerEnvironment(imageName);
    const mounted = service.secrets.map((each: string) => `/run/secrets/${each}`);
    const environment = checkedEnvironment(app, { ...image, ...service.environment }, mounted);
    for (const setting of Object.keys(service.environment)) expect(names[app]).toContain(setting.replace(/_FILE$/, ''));
    expect(service.healthcheck.test).toContain(app === 'api' ? '8001' : image.MILLRACE_WORKER_PORT);
    expect(Number.parseInt(service.stop_grace_period, 10) * 1_000).toBeGreaterThan(
      Number(environment.MILLRACE_GRACE_MS) + STOP_MARGIN_MS,
    );
  });
});

describe.each(['kind', 'staging', 'production', 'production-mig'])('k8s/overlays/%s', (overlay) => {
  const objects = render(`${repository}k8s/overlays/${overlay}`);
  // biome-ignore lint/suspicious/noExplicitAny: objects as they stand in the manifests
  const find = (kind: string, name: string): any =>
    objects.find((each) => each.kind === kind && each.metadata.name === name);

  it.each(['api', 'worker'] as const)('gives the %s only settings that exist and are valid, and its ports', (app) => {
    const pod = find('Deployment', `millrace-${app}`).spec.template.spec;
    const container = pod.containers[0];
    const image = dockerEnvironment(app === 'api' ? 'api' : /gpu/.test(container.image) ? 'worker-gpu' : 'worker-cpu');
    const given: Record<string, string> = Object.fromEntries(
      container.env.map(({ name, value }: { name: string; value?: string }) => [name, value ?? filledIn[name]]),
    );
    for (const name of Object.keys(given)) expect(names[app]).toContain(name.replace(/_FILE$/, ''));
    const config = find('ConfigMap', 'millrace-config').data;
    const environment = checkedEnvironment(app, { ...image, ...config, ...given }, mountedFiles(pod));
    const ports = Object.fromEntries(
      container.ports.map((port: { name: string; containerPort: number }) => [port.name, port.containerPort]),
    );
    const expected =
      app === 'api'
        ? { http: 'MILLRACE_HTTP_PORT', management: 'MILLRACE_MANAGEMENT_PORT', relay: 'MILLRACE_RELAY_PORT' }
        : { management: 'MILLRACE_WORKER_PORT' };
    expect(ports).toEqual(
      Object.fromEntries(Object.entries(expected).map(([name, setting]) => [name, Number(environment[setting])])),
    );
  });

  it.each(['api', 'worker'] as const)(
    'gives the %s time to start, probes that tell the right thing, and time to drain',
    (app) => {
      const lifecycle = podLifecycle(app, overlay);
      const managementPort = app === 'api' ? 8001 : 8002;
      expect(lifecycle.startup).toMatchObject({ path: '/readyz', port: managementPort });
      expect(lifecycle.readiness).toMatchObject({ path: '/readyz', port: managementPort });
      expect(lifecycle.liveness).toMatchObject({ path: '/healthz', port: managementPort });
      // A model takes a while to load; ten minutes where it is large.
      const startMs = lifecycle.startup.periodMs * lifecycle.startup.failureThreshold;
      expect(startMs).toBeGreaterThanOrEqual(
        app === 'api' ? 60_000 : overlay.startsWith('production') ? 600_000 : 180_000,
      );
      const { preStopMs, drainDelayMs, graceMs, terminationGraceMs, rollingUpdate } = lifecycle;
      expect(terminationGraceMs).toBeGreaterThan(preStopMs + drainDelayMs + graceMs + STOP_MARGIN_MS);
      if (app === 'api') expect(preStopMs).toBeGreaterThanOrEqual(5_000);
      expect(rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    },
  );
});

/** Paths of the files that secrets put into the first container. */
// biome-ignore lint/suspicious/noExplicitAny: a pod as it stands in the manifests
function mountedFiles(pod: any): string[] {
  return pod.containers[0].volumeMounts.flatMap(({ name, mountPath }: { name: string; mountPath: string }) => {
    const volume = pod.volumes.find((each: { name: string }) => each.name === name);
    const all = ['api-key', 'relay-token', 'redis-password'];
    const sources = volume.projected?.sources.map((source: { secret: object }) => source.secret) ?? [
      volume.secret ?? { items: [] },
    ];
    return sources.flatMap(({ items }: { items?: { path: string }[] }) =>
      (items?.map(({ path }) => path) ?? all).map((path) => `${mountPath}/${path}`),
    );
  });
}
