import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readSchema } from './schemas/validate.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const compose = parse(readFileSync(`${repository}docker-compose.yml`, 'utf8'), { merge: true });

// biome-ignore lint/suspicious/noExplicitAny: services as they stand in the file
const services = Object.entries(compose.services) as [string, any][];

describe('docker-compose.yml', () => {
  it('is what the Compose specification describes', () => {
    const schema = { ...readSchema('compose'), $schema: 'https://json-schema.org/draft/2019-09/schema' };
    const validate = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
    expect(validate(compose) || validate.errors).toBe(true);
    expect(validate({ ...compose, services: { x: { imag: 'y' } } })).toBe(false);
  });

  // Where the client is; the schema above is what is checked elsewhere.
  const client = spawnSync('docker', ['compose', 'version']).status === 0 ? it : () => {};
  client('is what the client itself takes, with every profile', () => {
    const { status, stderr } = spawnSync('docker', ['compose', '--profile', '*', 'config', '--quiet'], {
      cwd: repository,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('mounts only files, secrets and volumes that exist, and waits only for services with a health check', () => {
    for (const [name, service] of services) {
      for (const secret of service.secrets ?? []) expect(Object.keys(compose.secrets)).toContain(secret);
      for (const volume of service.volumes ?? []) {
        const [source] = volume.split(':');
        if (source.startsWith('./')) expect(existsSync(`${repository}${source}`), `${name}: ${source}`).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
      if (service.build !== undefined) expect(existsSync(`${repository}${service.build.dockerfile}`)).toBe(true);
      const waits = Array.isArray(service.depends_on) ? {} : (service.depends_on ?? {});
      for (const [other, { condition }] of Object.entries<{ condition: string }>(waits)) {
        expect(condition).toBe('service_healthy');
        expect(compose.services[other].healthcheck, other).toBeDefined();
      }
    }
  });

  it('holds no secret: passwords and keys are files that make-secrets.sh makes, and git leaves out', () => {
    const script = readFileSync(`${repository}docker/compose/make-secrets.sh`, 'utf8');
    for (const [name, { file }] of Object.entries<{ file: string }>(compose.secrets)) {
      expect(file).toBe(`./secrets/${name}`);
      expect(script).toContain(name);
    }
    for (const [, service] of services) {
      for (const name of Object.keys(service.environment ?? {})) {
        if (/PASSWORD|TOKEN|KEY/.test(name)) expect(name).toMatch(/_FILE$/);
      }
    }
    expect(readFileSync(`${repository}.gitignore`, 'utf8')).toMatch(/^secrets$/m);
    expect(readFileSync(`${repository}.dockerignore`, 'utf8')).toMatch(/^secrets$/m);
  });

  it('has two API replicas, each with an address of its own for the relay, behind a proxy that knows both', () => {
    const nginx = readFileSync(`${repository}docker/compose/nginx.conf`, 'utf8');
    const proxied = [...nginx.matchAll(/server ([\w-]+):8000/g)].map((match) => match[1]);
    const replicas = services.filter(([, service]) => service.image === 'millrace-api');
    expect(replicas.map(([name]) => name)).toEqual(proxied);
    for (const [name, { environment }] of replicas) expect(environment.MILLRACE_RELAY_ADVERTISED_HOST).toBe(name);
    expect(Object.keys(compose.services.proxy.depends_on)).toEqual(proxied);
  });

  it('scrapes every process that has metrics', () => {
    const scraped = readFileSync(`${repository}docker/compose/prometheus.yml`, 'utf8');
    for (const [name, service] of services) {
      const port = service.build?.dockerfile.includes('api') ? 8001 : 8002;
      if (service.build !== undefined) expect(scraped).toContain(`"${name}:${port}"`);
    }
  });

  it('gives Prometheus the rules, and Grafana the dashboards', () => {
    const folderAt = (service: string, path: string) =>
      compose.services[service].volumes.find((volume: string) => volume.includes(`:${path}:`)).split(':')[0];
    const { rule_files } = parse(readFileSync(`${repository}docker/compose/prometheus.yml`, 'utf8'));
    expect(rule_files).toEqual(['/etc/prometheus/rules/*.yaml']);
    expect(readdirSync(`${repository}${folderAt('prometheus', '/etc/prometheus/rules')}`)).toEqual(['millrace.yaml']);
    const { providers } = parse(readFileSync(`${repository}docker/compose/grafana/dashboards/millrace.yml`, 'utf8'));
    const dashboards = readdirSync(`${repository}${folderAt('grafana', providers[0].options.path)}`);
    expect(dashboards).toEqual(
      expect.arrayContaining(['overview.json', 'serving.json', 'tenants.json', 'engine.json']),
    );
  });
});

describe('the profile observability', () => {
  const read = (file: string) => parse(readFileSync(`${repository}docker/compose/${file}`, 'utf8'));
  const observed = services.filter(([, service]) => service.profiles?.includes('observability')).map(([name]) => name);

  it('has everything that its parts send to, at the ports where it listens', () => {
    const [collector, tempo] = [read('collector.yml'), read('tempo.yml')];
    const { endpoint } = collector.exporters.otlp;
    const listens = tempo.distributor.receivers.otlp.protocols.grpc.endpoint.split(':')[1];
    expect(endpoint).toBe(`tempo:${listens}`);
    // Named in the comment at the setting: what turns traces on.
    const told = /OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)/.exec(readFileSync(`${repository}docker-compose.yml`, 'utf8'))?.[1];
    expect(told).toBe(`http://collector:${collector.receivers.otlp.protocols.http.endpoint.split(':')[1]}`);
    const sources = read('grafana/datasources/millrace.yml').datasources;
    expect(sources.map(({ url }: { url: string }) => url)).toEqual([
      'http://prometheus:9090',
      `http://tempo:${tempo.server.http_listen_port}`,
    ]);
    expect(observed).toEqual(expect.arrayContaining(['collector', 'tempo', 'prometheus', 'grafana']));
  });

  it('has a collector whose pipelines name only what is configured, and all of that', () => {
    const collector = read('collector.yml');
    for (const kind of ['receivers', 'processors', 'exporters']) {
      const used = Object.values<Record<string, string[]>>(collector.service.pipelines).flatMap((each) => each[kind]);
      expect(new Set(used)).toEqual(new Set(Object.keys(collector[kind])));
    }
  });

  it('mounts each configuration where the command or the image looks for it', () => {
    for (const name of ['prometheus', 'collector', 'tempo']) {
      const { command, volumes } = compose.services[name];
      const file = /config\.file=(\S+)|--config=(\S+)/.exec(command.join(' '));
      expect(volumes.map((volume: string) => volume.split(':')[1])).toContain(file?.[1] ?? file?.[2]);
    }
    const { volumes } = compose.services.grafana;
    const { path } = read('grafana/dashboards/millrace.yml').providers[0].options;
    expect(volumes).toContain(`./observability/dashboards:${path}:ro`);
    expect(volumes).toContain('./docker/compose/grafana:/etc/grafana/provisioning:ro');
  });

  it('has dashboards whose data sources Grafana is given', () => {
    const uids = read('grafana/datasources/millrace.yml').datasources.map(({ uid }: { uid: string }) => uid);
    for (const name of readdirSync(`${repository}observability/dashboards`).filter((file) => file.endsWith('.json'))) {
      const text = readFileSync(`${repository}observability/dashboards/${name}`, 'utf8');
      const asked = [...text.matchAll(/"datasource":\s*\{[^}]*"uid":\s*"([^"]+)"/g)].map((match) => match[1]);
      expect(asked.length, name).toBeGreaterThan(0);
      for (const uid of new Set(asked))
        if (!uid?.startsWith('$') && uid !== '-- Grafana --') expect(uids, name).toContain(uid);
    }
  });

  // Where there is no promtool the file is what it was when there was one.
  const promtool = spawnSync('promtool', ['--version']).status === 0 ? it : () => {};
  promtool('has settings that Prometheus takes, with its rules', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
    const file = join(folder, 'prometheus.yml');
    const text = readFileSync(`${repository}docker/compose/prometheus.yml`, 'utf8');
    writeFileSync(file, text.replaceAll('/etc/prometheus/rules', `${repository}observability/rules`));
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/\d+ rules found/);
  });
});
