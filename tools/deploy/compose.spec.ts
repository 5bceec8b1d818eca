import { existsSync, readdirSync, readFileSync } from 'node:fs';
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
