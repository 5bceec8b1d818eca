import {
  ConfigurationError,
  type RedisTarget,
  redisTargetOf,
  SETTING_NAMES,
  type UpSettings,
  unknownSettings,
  unknownSettingText,
} from '#config';
import type { ExecutionProvider } from '#contracts';
import { probeGraphCapture, probeProvider, productsHere } from '#model-runner';
import { describeProcessors, processors } from '../bench/processors.ts';
import { packageVersion } from '../package-root.ts';
import { checkGivenRedis } from '../redis/check-given-redis.ts';
import { findOnPath, findRedisServer } from '../redis/find-redis.ts';
import { StartError } from '../start-error.ts';
import { settingsProblems, usableSettings } from '../up/check-settings.ts';
import { requireFreePort } from '../up/ports.ts';
import { completeModels, stateFolderOf, tunedOf, tunedText } from '../up/up-plan.ts';
import { requireWritableFolder } from '../up/writable-folder.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface Check {
  readonly name: string;
  /** Millrace works without it; what is wrong is told and does not count. */
  readonly optional?: true;
  /** Resolves with what was found, and what of it may do harm one day. */
  readonly run: () => Promise<string | { readonly found: string; readonly risks: readonly string[] }>;
}

/**
 * `millrace doctor`: checks one by one what `up` needs and prints each finding.
 * @returns 0 when nothing is wrong, else 1
 */
export async function doctor(environment: Environment): Promise<number> {
  const settings = usableSettings(environment);
  const unknown = unknownSettings(environment).map(unknownSettingText);
  const checks: Check[] = [
    { name: 'Millrace', run: async () => packageVersion() },
    { name: 'Node', run: async () => `${process.versions.node} on ${process.platform} ${process.arch}` },
    { name: 'Settings', run: async () => settingsFinding(environment) },
    ...(unknown.length === 0
      ? []
      : [{ name: 'Variables', run: async () => ({ found: 'all others are read', risks: unknown }) }]),
    {
      name: 'State',
      run: async () => {
        requireWritableFolder('MILLRACE_STATE_FOLDER', stateFolderOf(settings));
        return stateFolderOf(settings);
      },
    },
    { name: 'Redis', run: () => redisFinding(givenRedis(settings), environment.PATH ?? '') },
    ...settings.MILLRACE_MODEL.map((entry) => ({
      name: 'Model',
      run: async () => (await completeModels([entry])).map(({ folder }) => folder).join(),
    })),
    {
      name: 'Processors',
      run: async () => describeProcessors(processors()),
    },
    { name: 'Tuned', optional: true, run: async () => tunedFinding(settings) },
    { name: 'CPU', run: async () => providerFinding('cpu') },
    { name: 'CPU products', run: async () => productsHere() },
    { name: 'CUDA', optional: true, run: async () => providerFinding('cuda') },
    ...(settings.MILLRACE_CUDA_GRAPHS === 0
      ? []
      : [
          {
            name: 'CUDA graphs',
            optional: true as const,
            run: async () => graphFinding(settings.MILLRACE_CUDA_GRAPHS),
          },
        ]),
    { name: 'WebGPU', optional: true, run: async () => providerFinding('webgpu') },
    {
      name: 'HTTP port',
      run: async () => {
        await requireFreePort('MILLRACE_HTTP_PORT', settings.MILLRACE_HTTP_HOST, settings.MILLRACE_HTTP_PORT);
        return `${settings.MILLRACE_HTTP_HOST}:${settings.MILLRACE_HTTP_PORT} is free`;
      },
    },
    ...(settings.MILLRACE_MANAGEMENT_PORT === undefined
      ? []
      : [{ name: 'Management port', run: () => managementFinding(settings) }]),
  ];
  let problems = 0;
  for (const { name, run, optional } of checks) {
    try {
      const finding = await run();
      const { found, risks } = typeof finding === 'string' ? { found: finding, risks: [] } : finding;
      console.log(`ok       ${name}: ${found}`);
      for (const risk of risks) console.log(`careful  ${name}: ${risk}`);
    } catch (error) {
      if (optional === undefined) problems += 1;
      const said = error instanceof Error ? error.message : String(error);
      console.log(`${optional === undefined ? 'PROBLEM' : 'without'}  ${name}: ${said}`);
    }
  }
  console.log(problems === 0 ? '\nNothing is wrong.' : `\n${problems} problem${problems === 1 ? '' : 's'} found.`);
  return problems === 0 ? 0 : 1;
}

function tunedFinding(settings: UpSettings): string {
  const tuned = tunedOf(settings);
  if (tuned === null) throw new StartError('`millrace bench --tune` measures the settings that are best here');
  if (tuned.unused !== null) throw new StartError(`${tunedText(tuned)}; run \`millrace bench --tune\` anew`);
  return tunedText(tuned);
}

function providerFinding(provider: ExecutionProvider): string {
  probeProvider(provider);
  return `execution provider "${provider}" works`;
}

function graphFinding(rows: number): string {
  probeGraphCapture();
  return `a small graph is captured and replayed; a worker tries its model with up to ${rows} sequences (MILLRACE_CUDA_GRAPHS)`;
}

function givenRedis(settings: UpSettings): RedisTarget | null {
  const { REDIS_URL } = settings;
  return REDIS_URL === undefined ? null : redisTargetOf({ ...settings, REDIS_URL });
}

function settingsFinding(environment: Environment): string {
  const problems = settingsProblems(environment);
  if (problems.length > 0) throw new ConfigurationError(problems);
  const set = [...SETTING_NAMES].filter((name) => (environment[name] ?? environment[`${name}_FILE`] ?? '') !== '');
  return set.length === 0 ? 'the defaults' : `${set.sort().join(', ')} set, the rest as by default`;
}

async function managementFinding({ MILLRACE_HTTP_HOST: host, MILLRACE_MANAGEMENT_PORT: port = 0 }: UpSettings) {
  await requireFreePort('MILLRACE_MANAGEMENT_PORT', host, port);
  return `${host}:${port} is free`;
}

async function redisFinding(given: RedisTarget | null, path: string) {
  if (given !== null) {
    const risks = await checkGivenRedis(given);
    return { found: `${new URL(given.url).host} answers (REDIS_URL)`, risks };
  }
  const server = findRedisServer(path);
  if (server !== null) return server.path;
  const docker = findOnPath('docker', path);
  if (docker !== null) return `no server on PATH; \`up\` tries Docker (${docker})`;
  throw new StartError('neither redis-server nor valkey-server nor docker is on PATH; install one or set REDIS_URL');
}
