import { randomUUID } from 'node:crypto';
import { findPackageJSON } from 'node:module';
import { availableParallelism, hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type ModelEntry, redisTargetOf, type WorkerSettings } from '#config';
import type { CpuChoices, CpuProducts, ExecutionProvider } from '#contracts';
import { releaseVersion, type TracingOptions, tracingOptionsOf } from '#observability';
import type { RelayDialerTls } from '#relay';
import type { PrefixSharing } from './jobs/engine-request-of.ts';

const BYTES_PER_MB = 1024 * 1024;

/** How one model is served, with every default filled in. */
export interface ModelOptions {
  /** Folder, or name of a folder below one of `modelRoots`. */
  readonly folder: string;
  /** Null takes the folder's name. */
  readonly modelId: string | null;
  /** Null takes what the chat template tells. */
  readonly outputFormat: string | null;
  /** Whether requests that do not say how to sample get what the model's makers recommend. */
  readonly samplingDefaults: 'model' | 'none';
  readonly slots: number;
  /** Sequences that may be parked for others. */
  readonly parkingSlots: number;
  /** Upper bound; a model made for less gets less. */
  readonly slotTokens: number;
  /** Memory for the keys and values of all sequences; 0 for as much as the slots can hold. */
  readonly kvBytes: number;
  /** Memory for computed beginnings of prompts; 0 for none. */
  readonly prefixCacheBytes: number;
  readonly threads: number;
  /** Processors on which it runs; any when null. */
  readonly cpus: readonly number[] | null;
  /** How long an idle thread of a forward pass spins before it sleeps; null for what suits the number of models. */
  readonly spinUs: number | null;
}

/** A worker's settings with every default filled in. */
export interface WorkerOptions {
  readonly workerId: string;
  readonly redisUrl: string;
  /** PEM; the system's authorities when undefined. */
  readonly redisCa: string | undefined;
  /** Those that are loaded at the start; at least one. */
  readonly models: readonly ModelOptions[];
  /** How a model is served that is asked for later. */
  readonly modelOptionsOf: (entry: ModelEntry) => ModelOptions;
  readonly modelRoots: readonly string[];
  /** What all models may take together; 0 for what the container or the machine has. */
  readonly memoryLimitBytes: number;
  readonly prefixSharing: PrefixSharing;
  readonly prefillChunkTokens: number;
  /** How many times as long as a decode run the next token may take while prompts are computed; 0 for any. */
  readonly decodeStretch: number;
  /** Parts in which a chunk of a prompt may be computed. */
  readonly prefillParts: number;
  /** Most tokens proposed at a time for an answer that runs alone, 0 for none; `auto` for some where that changes no bit. */
  readonly speculationTokens: number | 'auto';
  /** Delivered tokens of a resumed choice above which they are prefilled instead of decoded anew. */
  readonly replayLimitTokens: number;
  readonly providers: readonly ExecutionProvider[];
  /** Decode runs of up to so many sequences are captured as CUDA graphs, where a model is alone; 0 for none. */
  readonly capturedRows: number;
  /** Whether our own library multiplies on the CPU, where it can. */
  readonly products: CpuProducts;
  /** What keys and values are kept as, where our own library computes attention. */
  readonly kvType: CpuChoices['kvType'];
  /** `CUDA_VISIBLE_DEVICES`; all devices when undefined. */
  readonly visibleDevices: string | undefined;
  readonly binding: 'auto' | 'c-api' | 'js-api';
  /** Silence of the engine above which it counts as hung, where no step took a 20th of it. */
  readonly stepLimitMs: number;
  readonly jobLockMs: number;
  readonly graceMs: number;
  readonly relayToken: string | undefined;
  /** Undefined where the relay is not encrypted. */
  readonly relayTls: RelayDialerTls | undefined;
  readonly tracing: TracingOptions;
  readonly healthHost: string;
  /** 0 picks a free port. */
  readonly healthPort: number;
}

export function compileWorkerOptions(settings: WorkerSettings): WorkerOptions {
  const workerId = settings.MILLRACE_WORKER_ID ?? `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const redis = redisTargetOf(settings);
  return {
    workerId,
    redisUrl: redis.url,
    redisCa: redis.ca,
    models: settings.MILLRACE_MODEL.map((entry) => modelOptionsOf(entry, settings, settings.MILLRACE_MODEL_ID)),
    modelOptionsOf: (entry) => modelOptionsOf(entry, settings),
    modelRoots: modelRoots(),
    memoryLimitBytes: settings.MILLRACE_MEMORY_LIMIT_MB * BYTES_PER_MB,
    prefixSharing: settings.MILLRACE_PREFIX_CACHE_SHARING,
    prefillChunkTokens: settings.MILLRACE_PREFILL_CHUNK,
    decodeStretch: settings.MILLRACE_DECODE_STRETCH,
    prefillParts: settings.MILLRACE_PREFILL_PARTS,
    speculationTokens: settings.MILLRACE_SPECULATION_TOKENS,
    replayLimitTokens: settings.MILLRACE_REPLAY_TOKENS,
    providers: settings.MILLRACE_EXECUTION_PROVIDERS,
    capturedRows: settings.MILLRACE_CUDA_GRAPHS,
    products: settings.MILLRACE_CPU_PRODUCTS,
    kvType: settings.MILLRACE_KV_TYPE,
    visibleDevices: settings.CUDA_VISIBLE_DEVICES,
    binding: settings.MILLRACE_RUNNER,
    stepLimitMs: settings.MILLRACE_STEP_LIMIT_MS,
    jobLockMs: settings.MILLRACE_JOB_LOCK_MS,
    graceMs: settings.MILLRACE_GRACE_MS,
    relayToken: settings.MILLRACE_RELAY_TOKEN,
    relayTls: settings.MILLRACE_RELAY_CA === undefined ? undefined : relayTlsOf(settings, settings.MILLRACE_RELAY_CA),
    tracing: tracingOptionsOf(settings, {
      serviceName: 'millrace-worker',
      serviceVersion: releaseVersion(),
      instanceId: workerId,
    }),
    healthHost: settings.MILLRACE_MANAGEMENT_HOST,
    healthPort: settings.MILLRACE_WORKER_PORT,
  };
}

function modelOptionsOf(entry: ModelEntry, settings: WorkerSettings, onlyId?: string): ModelOptions {
  const { folder, id, overrides } = entry;
  const cpus = overrides.cpus ?? settings.MILLRACE_CPUS ?? null;
  const kvMb = overrides.kvMb ?? settings.MILLRACE_KV_MB;
  const prefixCacheMb = overrides.prefixCacheMb ?? settings.MILLRACE_PREFIX_CACHE_MB;
  return {
    folder,
    modelId: id ?? onlyId ?? null,
    outputFormat: overrides.outputFormat ?? settings.MILLRACE_OUTPUT_FORMAT ?? null,
    samplingDefaults: overrides.samplingDefaults ?? settings.MILLRACE_SAMPLING_DEFAULTS,
    slots: overrides.slots ?? settings.MILLRACE_SLOTS,
    parkingSlots: overrides.parkingSlots ?? settings.MILLRACE_PARKING_SLOTS,
    slotTokens: overrides.slotTokens ?? settings.MILLRACE_SLOT_TOKENS,
    kvBytes: kvMb * BYTES_PER_MB,
    prefixCacheBytes: prefixCacheMb * BYTES_PER_MB,
    threads: (overrides.threads ?? settings.MILLRACE_THREADS) || (cpus?.length ?? availableParallelism()),
    cpus,
    spinUs: settings.MILLRACE_SPIN_US ?? null,
  };
}

function relayTlsOf(settings: WorkerSettings, ca: string): RelayDialerTls {
  return {
    ca,
    serverName: settings.MILLRACE_RELAY_SERVER_NAME,
    certificate: settings.MILLRACE_RELAY_CERT,
    key: settings.MILLRACE_RELAY_KEY,
  };
}

/** `models/` of the working directory, then that of the installation. */
function modelRoots(): string[] {
  const packageFile = findPackageJSON('.', import.meta.url);
  const installed = packageFile === undefined ? [] : [join(dirname(packageFile), 'models')];
  return [...new Set([resolve('models'), ...installed])];
}
