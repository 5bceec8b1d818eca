import { z } from 'zod';
import { CPU_PRODUCTS, EXECUTION_PROVIDERS, KV_TYPES } from '#contracts';
import { cpuList } from './cpu-list.ts';
import { checkCudaGraphs } from './graph-rules.ts';
import { checkLedgerWebhook } from './ledger-rules.ts';
import { type ModelEntry, modelEntries, SAMPLING_DEFAULTS } from './model-entry.ts';
import { originList } from './origin-list.ts';
import { checkRelayOfApi, checkRelayOfWorker } from './relay-rules.ts';

const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);
const count = (fallback: number, max = 1_000_000) => z.coerce.number().int().min(1).max(max).default(fallback);
const flagWith = (fallback: 'true' | 'false') =>
  z
    .enum(['true', 'false', '1', '0'])
    .default(fallback)
    .transform((value) => value === 'true' || value === '1');
const flag = flagWith('false');

const redisUrl = z.url({ protocol: /^rediss?$/, error: 'must be a URL that begins with redis:// or rediss://' });
const webUrl = z.url({ protocol: /^https?$/, error: 'must be a URL that begins with http:// or https://' });

const pem = (what: string) =>
  z.string().regex(/-----BEGIN [A-Z ]+-----/, `needs ${what} in PEM form; name a file of it with <NAME>_FILE`);

/** What every process reads. */
const shared = {
  /** `rediss://` for TLS. */
  REDIS_URL: redisUrl.default('redis://127.0.0.1:6379'),
  /** Goes into REDIS_URL; kept apart so that it can come from a file. */
  REDIS_PASSWORD: z.string().min(1).optional(),
  /** Authorities that may have signed the certificate of a `rediss://` server; the system's when unset. */
  REDIS_CA: pem('certificates').optional(),
  MILLRACE_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** Shared secret that a worker shows to an API replica's relay. */
  MILLRACE_RELAY_TOKEN: z.string().min(16, 'needs at least 16 characters').optional(),
  /** API: the relay's certificate, with which it speaks TLS. Worker: what it shows to a relay that asks for one. */
  MILLRACE_RELAY_CERT: pem('a certificate').optional(),
  MILLRACE_RELAY_KEY: pem('a private key').optional(),
  /** Worker: who signed the relay's certificate; with it the worker speaks TLS. API: who signs workers' certificates. */
  MILLRACE_RELAY_CA: pem('certificates').optional(),
  /** Where traces go, by OTLP over HTTP (`/v1/traces` is added); there are none when neither this nor the next is set. */
  OTEL_EXPORTER_OTLP_ENDPOINT: webUrl.optional(),
  /** The same, with the whole path. */
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: webUrl.optional(),
  /** `name=value,…` for the receiver. */
  OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
  /** `millrace-api` and `millrace-worker` when unset. */
  OTEL_SERVICE_NAME: z.string().min(1).optional(),
  OTEL_SDK_DISABLED: flag,
  OTEL_TRACES_SAMPLER: z
    .enum([
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ])
    .default('parentbased_always_on'),
  /** The part of the traces that the `…traceidratio` samplers keep. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  /** Time that running requests get to finish after SIGTERM. */
  MILLRACE_GRACE_MS: count(20_000, 3_600_000),
};

const apiSettings = z.object({
  ...shared,
  MILLRACE_HTTP_HOST: z.string().min(1).default('127.0.0.1'),
  /** 0 picks a free port. */
  MILLRACE_HTTP_PORT: port(8000),
  MILLRACE_MANAGEMENT_HOST: z.string().min(1).default('127.0.0.1'),
  /** 0 picks a free port. */
  MILLRACE_MANAGEMENT_PORT: port(8001),
  /** Shows the queues on the management port, to whoever has this key; they are not shown when unset. */
  MILLRACE_BOARD_KEY: z.string().min(16, 'needs at least 16 characters').optional(),
  MILLRACE_RELAY_HOST: z.string().min(1).default('127.0.0.1'),
  /** 0 picks a free port. */
  MILLRACE_RELAY_PORT: port(0),
  /** Host name under which workers reach this replica's relay; the relay host when unset. */
  MILLRACE_RELAY_ADVERTISED_HOST: z.string().min(1).optional(),
  /** A key that is always accepted, for the tenant `dev`; tenants have their own keys in Redis. */
  MILLRACE_DEV_KEY: z.string().min(8, 'needs at least 8 characters'),
  /** Requests that may wait for each model; beyond that clients are told when to come back. */
  MILLRACE_QUEUE_PLACES: count(1_000),
  /** How long a dead replica's requests count against their tenants; the same on all replicas. */
  MILLRACE_LEASE_MS: z.coerce.number().int().min(1_000).max(600_000).default(15_000),
  /**
   * Time after SIGTERM in which requests are still taken while readiness is red, so that a load balancer can turn away before
   * any is refused; the grace time comes after it.
   */
  MILLRACE_DRAIN_DELAY_MS: z.coerce.number().int().min(0).max(600_000).default(0),
  /** Where every ledger entry is sent; nowhere when unset. */
  MILLRACE_LEDGER_WEBHOOK_URL: webUrl.optional(),
  /** Signs what is sent there; needed with the URL. */
  MILLRACE_LEDGER_WEBHOOK_SECRET: z.string().min(16, 'needs at least 16 characters').optional(),
  /**
   * Origins whose pages may call this API from a browser, separated by commas; `*` for all. None when unset: a page of another
   * origin is then kept from the answers by its browser.
   */
  MILLRACE_CORS_ORIGINS: originList.optional(),
  MILLRACE_MAX_BODY_BYTES: count(4 * 1024 * 1024, 256 * 1024 * 1024),
  /** A request that lost this many workers is refused: it may be what ends them. */
  MILLRACE_FAILOVER_ATTEMPTS: count(3, 100),
  /** Longest time from the loss of a worker until another goes on, and in the queue while no worker lives. */
  MILLRACE_FAILOVER_WAIT_MS: count(60_000, 3_600_000),
  /** A request that nobody waits before goes straight to a worker that takes it; off, all go through the queue. */
  MILLRACE_OFFERS: flagWith('true'),
  /** Puts prompts and answers into traces; off, they hold none. */
  MILLRACE_TRACE_CONTENT: flag,
  /** Tenants that metrics count by name; the rest is `other`. */
  MILLRACE_METRICS_TENANTS: z.coerce.number().int().min(0).max(10_000).default(100),
  /** How long an answer can be come back to that was asked for with an `Idempotency-Key` or as resumable. */
  MILLRACE_ANSWER_KEPT_MS: z.coerce.number().int().min(1_000).max(86_400_000).default(3_600_000),
  /** Such an answer that grows beyond this is not kept any more; its own client gets it all the same. */
  MILLRACE_ANSWER_KEPT_BYTES: count(4 * 1024 * 1024, 256 * 1024 * 1024),
  /** What is kept of all answers of one tenant; beyond it the oldest are forgotten. */
  MILLRACE_TENANT_KEPT_BYTES: count(64 * 1024 * 1024, 16 * 1024 * 1024 * 1024),
  /** How long such an answer goes on after its client left, for the client to come back. */
  MILLRACE_DETACHED_MS: count(60_000, 3_600_000),
  /**
   * How another worker catches up with what was delivered of an answer when its worker is lost: `exact` computes it anew
   * token by token (up to MILLRACE_REPLAY_TOKENS of the worker), and the rest is bit for bit what it would have been; `fast`
   * computes it like a prompt. A client can say otherwise with `x-millrace-resume`.
   */
  MILLRACE_RESUME: z.enum(['exact', 'fast']).default('exact'),
  /** Bytes of an answer that may wait for a slow client before it is disconnected. */
  MILLRACE_STREAM_BUFFER_BYTES: count(1024 * 1024, 256 * 1024 * 1024),
});
/** What an API replica reads. */
export const ApiSettings = apiSettings.superRefine(checkRelayOfApi).superRefine(checkLedgerWebhook);

/** Model folders, or names of folders below `models/`, separated by commas: `[name=]folder[?option=value&…]`. */
const models = z.string().default('smollm2-135m-instruct').pipe(modelEntries);

interface ModelNames {
  readonly MILLRACE_MODEL: readonly ModelEntry[];
  readonly MILLRACE_MODEL_ID?: string | undefined;
}

function checkModelId({ MILLRACE_MODEL, MILLRACE_MODEL_ID }: ModelNames, context: z.RefinementCtx): void {
  if (MILLRACE_MODEL_ID === undefined || MILLRACE_MODEL.length === 1) return;
  const message = 'is for one model, and MILLRACE_MODEL has several: unset it, and write name=folder there';
  context.addIssue({ code: 'custom', path: ['MILLRACE_MODEL_ID'], message });
}

/** Beyond it a run's time grows with each token, and few texts go on as they did for longer. */
const MOST_SPECULATION_TOKENS = 16;

/** Each is a graph in the device's memory, made and compared at the start; larger batches hide what launching costs. */
const MOST_CAPTURED_ROWS = 128;

const workerSettings = z.object({
  ...shared,
  MILLRACE_MODEL: models,
  /** Name under which clients ask for the one model; the folder's name when unset. */
  MILLRACE_MODEL_ID: z.string().min(1).optional(),
  /** Name for which the relay's certificate must be made; replicas are dialled by address, which no certificate holds. */
  MILLRACE_RELAY_SERVER_NAME: z.string().min(1).default('millrace-relay'),
  /** Form of tool calls and reasoning (docs/architecture/tools-and-reasoning.md); what the chat template tells when unset. */
  MILLRACE_OUTPUT_FORMAT: z.string().min(1).optional(),
  /**
   * What requests get that do not say how to sample: `model` takes what the model's generation_config.json recommends
   * (temperature, top_p, top_k, min_p, repetition_penalty), `none` the API's own defaults.
   */
  MILLRACE_SAMPLING_DEFAULTS: z.enum(SAMPLING_DEFAULTS).default('model'),
  MILLRACE_WORKER_ID: z.string().min(1).optional(),
  /** Sequences that decode together. */
  MILLRACE_SLOTS: count(32, 1024),
  /**
   * Sequences that may give up their seat for a tenant below its share and wait, with what they have computed. Each takes a
   * slot's memory when it is first used, and so does one more for exchanges; 0 leaves seats to whoever has them.
   */
  MILLRACE_PARKING_SLOTS: z.coerce.number().int().min(0).max(1024).default(8),
  /** Tokens (prompt and answer) that one slot holds; the model's limit when unset. */
  MILLRACE_SLOT_TOKENS: count(2048, 1_048_576),
  /**
   * Memory, in MiB, for the keys and values of all sequences together, parked ones as well: slots may then be many and long, and
   * take memory as they fill. When it is short the newest sequences wait and are computed anew. 0 for as much as all slots
   * can hold; at least one full slot. A device's cache is taken at the start and does not know this.
   */
  MILLRACE_KV_MB: z.coerce.number().int().min(0).max(16_777_216).default(0),
  /**
   * Memory, in MiB, in which computed beginnings of prompts are kept for later ones, taken as it is used; 0 keeps none. It is
   * host memory: with a device's cache none are kept.
   */
  MILLRACE_PREFIX_CACHE_MB: z.coerce.number().int().min(0).max(1_048_576).default(512),
  /**
   * `tenant`: a tenant's requests share them among themselves. `all`: everybody's do, which lets a tenant learn from the
   * time to the first token what others ask.
   */
  MILLRACE_PREFIX_CACHE_SHARING: z.enum(['tenant', 'all']).default('tenant'),
  /** Most prompt tokens computed between two decode steps; with 3 or more a last chunk of one token can be avoided. */
  MILLRACE_PREFILL_CHUNK: z.coerce.number().int().min(3).max(65_536).default(128),
  /**
   * While prompts are computed, running answers' next tokens may take this many times as long as a decode run: fewer prompt
   * tokens are computed in between than MILLRACE_PREFILL_CHUNK where that takes longer, by measured times. 0 does not look at times.
   */
  MILLRACE_DECODE_STRETCH: z.coerce
    .number()
    .refine(
      (stretch) => stretch === 0 || (stretch > 1 && stretch <= 1_000),
      'must be 0, or more than 1 and at most 1000',
    )
    .default(3),
  /**
   * Parts, of some layers each, in which a chunk of a prompt may be computed, with decode runs between them: keeps
   * MILLRACE_DECODE_STRETCH at the end of long prompts too, where attention over the past alone takes longer than a decode run. 0 takes
   * one part for five layers, 1 computes whole chunks. On the CPU only, for models with weights outside their ONNX file.
   */
  MILLRACE_PREFILL_PARTS: z.coerce.number().int().min(0).max(64).default(0),
  /**
   * When a request goes on after its worker was lost, delivered tokens are computed anew one by one, so that the rest is
   * bit for bit what it would have been; more than this many per choice are computed like a prompt instead, which is
   * quicker and may change the last bits. Where a prompt has the bits of decode runs all are computed like one.
   */
  MILLRACE_REPLAY_TOKENS: z.coerce.number().int().min(0).max(1_048_576).default(16_384),
  /**
   * Most tokens that are proposed at a time for an answer that runs alone, from what stands in its prompt and in itself, and verified in one
   * run, where that pays by measured times. `auto` proposes up to 10 where several tokens in one run have the bits of one after the other. With a
   * number they are proposed elsewhere too: answers may then differ from those of decode runs, and what a worker that resumes one goes on with.
   * 0 proposes none.
   */
  MILLRACE_SPECULATION_TOKENS: z
    .union([z.literal('auto'), z.coerce.number().int().min(0).max(MOST_SPECULATION_TOKENS)], {
      error: `must be auto, or a whole number from 0 to ${MOST_SPECULATION_TOKENS}`,
    })
    .default('auto'),
  /** Intra-op threads of ONNX Runtime, for each model; 0 takes the number of cores that the process may use. */
  MILLRACE_THREADS: z.coerce.number().int().min(0).max(1024).default(0),
  /** Processors on which forward passes run, as `0-3,8` (Linux): one worker per NUMA node, say. Any when unset. */
  MILLRACE_CPUS: cpuList.optional(),
  /**
   * How long an idle thread of a forward pass looks for the next operator before it sleeps. 0 sleeps at once; much more keeps
   * cores from the worker's other threads. When unset: 100 for a model that is alone in its worker, 0 for one that shares it.
   */
  MILLRACE_SPIN_US: z.coerce.number().int().min(0).max(1_000_000).optional(),
  /** File of `millrace bench --tune`: what it says is used where the environment says nothing. None when unset. */
  MILLRACE_TUNED_FILE: z.string().min(1).optional(),
  /**
   * Memory, in MiB, that all models of the worker may take together: 1.3 times their weights, their keys and values and prefix
   * caches as configured, and 250 MiB for the process. One that does not fit is not loaded. 0 for what the container or the
   * machine has, keys and values not counted, since they are taken as they fill.
   */
  MILLRACE_MEMORY_LIMIT_MB: z.coerce.number().int().min(0).max(16_777_216).default(0),
  /**
   * An engine that ends no step for this long, and for 20 times as long as its longest step so far, counts as hung: the run
   * is interrupted, then its thread is replaced, and its requests go on elsewhere.
   */
  MILLRACE_STEP_LIMIT_MS: z.coerce.number().int().min(1_000).max(3_600_000).default(60_000),
  /**
   * Where forward passes run, in the order in which providers are tried; the first that works is used, and it is an error
   * when none does.
   */
  MILLRACE_EXECUTION_PROVIDERS: z
    .string()
    .default('cuda,cpu')
    .transform((list) => list.split(',').map((name) => name.trim().toLowerCase()))
    .pipe(
      z
        .array(
          z.enum(EXECUTION_PROVIDERS, `each must be one of ${EXECUTION_PROVIDERS.join(', ')}, separated by commas`),
        )
        .refine((names) => new Set(names).size === names.length, 'names a provider twice'),
    ),
  /**
   * Decode runs of up to so many sequences are captured as CUDA graphs at the start and replayed, each number of sequences as a graph of its own.
   * A start compares them with plain runs, and goes on with these where they differ or the model can not be captured. 0 captures none.
   */
  MILLRACE_CUDA_GRAPHS: z.coerce.number().int().min(0).max(MOST_CAPTURED_ROWS).default(0),
  /**
   * Who multiplies with weights of 4 or 8 bits in blocks, and computes attention in float32, on the CPU: our own library where there is one for the machine, or ONNX Runtime always.
   * Bits of answers differ between the two, as they do between processors.
   */
  MILLRACE_CPU_PRODUCTS: z.enum(CPU_PRODUCTS).default('auto'),
  /**
   * What keys and values are kept as, where our own library computes attention: `auto` what the graph has; float16 and int8 take less memory and time, and round.
   * A model whose attention can not keep them as is asked for is refused.
   */
  MILLRACE_KV_TYPE: z.enum(['auto', ...KV_TYPES]).default('auto'),
  /** Read by CUDA itself; here it tells of which device memory and utilisation are shown. */
  CUDA_VISIBLE_DEVICES: z.string().optional(),
  MILLRACE_RUNNER: z.enum(['auto', 'c-api', 'js-api']).default('auto'),
  MILLRACE_MANAGEMENT_HOST: z.string().min(1).default('127.0.0.1'),
  MILLRACE_WORKER_PORT: port(0),
  /** How long a job's lock lasts in Redis before another worker may take the job. */
  MILLRACE_JOB_LOCK_MS: count(30_000, 600_000),
});
/** What a worker reads. */
export const WorkerSettings = workerSettings
  .superRefine(checkRelayOfWorker)
  .superRefine(checkModelId)
  .superRefine(checkCudaGraphs);

const upSettings = z.object({
  MILLRACE_HTTP_HOST: z.string().min(1).default('127.0.0.1'),
  /** 0 picks a free port. */
  MILLRACE_HTTP_PORT: port(8000),
  /** 8001 when unset, or another free port when that one is taken. */
  MILLRACE_MANAGEMENT_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  /** A generated key, kept in the state folder, when unset. */
  MILLRACE_DEV_KEY: z.string().min(8, 'needs at least 8 characters').optional(),
  MILLRACE_MODEL: models,
  MILLRACE_MODEL_ID: z.string().min(1).optional(),
  /** Uses this Redis and starts none. */
  REDIS_URL: redisUrl.optional(),
  REDIS_PASSWORD: shared.REDIS_PASSWORD,
  REDIS_CA: shared.REDIS_CA,
  /** Where `up` keeps logs, the generated key and the Redis data; `.millrace` in the repository when unset. */
  MILLRACE_STATE_FOLDER: z.string().min(1).optional(),
  /** For the worker; `doctor` tries whether CUDA captures where it is set. */
  MILLRACE_CUDA_GRAPHS: workerSettings.shape.MILLRACE_CUDA_GRAPHS,
  /** For the worker; `tuned.env` of the state folder when unset and there. */
  MILLRACE_TUNED_FILE: z.string().min(1).optional(),
  /** Copies the processes' logs to the terminal. */
  MILLRACE_VERBOSE: flag,
});
/** What `millrace up` reads. */
export const UpSettings = upSettings.superRefine(checkModelId);

/** What `millrace bench` reads. */
export const BenchSettings = z.object({
  MILLRACE_MODEL: models,
  MILLRACE_THREADS: workerSettings.shape.MILLRACE_THREADS,
  MILLRACE_CPUS: workerSettings.shape.MILLRACE_CPUS,
  MILLRACE_SPIN_US: workerSettings.shape.MILLRACE_SPIN_US,
  MILLRACE_PREFILL_CHUNK: workerSettings.shape.MILLRACE_PREFILL_CHUNK,
  MILLRACE_PREFILL_PARTS: workerSettings.shape.MILLRACE_PREFILL_PARTS,
  MILLRACE_SLOTS: workerSettings.shape.MILLRACE_SLOTS,
  MILLRACE_TUNED_FILE: workerSettings.shape.MILLRACE_TUNED_FILE,
  MILLRACE_STATE_FOLDER: z.string().min(1).optional(),
});

/** What `millrace models inspect` reads: how a worker with the same settings computes on the CPU. */
export const InspectSettings = z.object({
  MILLRACE_CPU_PRODUCTS: workerSettings.shape.MILLRACE_CPU_PRODUCTS,
  MILLRACE_KV_TYPE: workerSettings.shape.MILLRACE_KV_TYPE,
});

export const CliSettings = z.object({
  /** Any API replica; that of the `millrace up` of the state folder when unset, else port 8000 of this machine. */
  MILLRACE_URL: webUrl.optional(),
  /** An operator's key; MILLRACE_DEV_KEY or the one that `millrace up` keeps when unset. */
  MILLRACE_API_KEY: z.string().min(8, 'needs at least 8 characters').optional(),
  MILLRACE_DEV_KEY: z.string().min(8, 'needs at least 8 characters').optional(),
  MILLRACE_STATE_FOLDER: z.string().min(1).optional(),
});

/** What `millrace chat` reads. */
export const ChatSettings = CliSettings.extend({
  /** As in GET /v1/models; the first of them when unset. */
  MILLRACE_CHAT_MODEL: z.string().min(1).optional(),
  MILLRACE_CHAT_SYSTEM: z.string().optional(),
});

export type CliSettings = z.infer<typeof CliSettings>;
/** What `millrace models pull` reads. */
export const HubSettings = z.object({
  /** A hub with the addresses of Hugging Face's, or a mirror. */
  MILLRACE_HUB_URL: webUrl.default('https://huggingface.co'),
  /** For private and gated repositories. */
  MILLRACE_HUB_TOKEN: z.string().min(1).optional(),
});

export type ApiSettings = z.infer<typeof ApiSettings>;
export type WorkerSettings = z.infer<typeof WorkerSettings>;
export type UpSettings = z.infer<typeof UpSettings>;
export type HubSettings = z.infer<typeof HubSettings>;
