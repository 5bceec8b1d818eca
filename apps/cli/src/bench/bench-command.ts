import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { BenchSettings, formatTunedFile, readSettings, type TunedFile } from '#config';
import type { ModelRunner } from '#contracts';
import { openModelRunner } from '#model-runner';
import { runOnProcessors } from '#model-runner/process';
import { type ModelFolder, openModelFolder } from '#models';
import { StartError } from '../start-error.ts';
import { textTable } from '../text-table.ts';
import { TUNED_FILE, tunedFileIn } from '../up/tuned-file-in.ts';
import { completeModels, stateFolderOf } from '../up/up-plan.ts';
import type { EngineSettings } from './engine-settings.ts';
import { EngineSpeed } from './engine-speed.ts';
import { ModelSpeed } from './model-speed.ts';
import { describeProcessors, type Processors, processors } from './processors.ts';
import { DEFAULT_SPIN_US, LONGEST_CHUNK, type MeasuredModel, MOST_ROWS, type Tuning, tune } from './tuning.ts';

export interface BenchFlags {
  readonly model?: string;
  readonly tune?: boolean;
  readonly seconds?: number;
  readonly output?: string;
  readonly json?: boolean;
}

const DEFAULT_SECONDS = 20;
const DEFAULT_TUNE_SECONDS = 120;
/** A context that most chats have; a model made for less gets less. */
const SLOT_TOKENS = 1_024;

/**
 * `millrace bench`: how fast the configured model is on this machine. With `--tune` also with other settings than the
 * defaults; the best are written to a file that `up` and workers read.
 */
export async function benchCommand(flags: BenchFlags, environment: Readonly<Record<string, string | undefined>>) {
  const { MILLRACE_TUNED_FILE: named, ...rest } = environment;
  const given = { ...rest, ...(flags.model !== undefined && { MILLRACE_MODEL: flags.model }) };
  // What is to be measured anew must not decide how.
  const plain = readSettings(BenchSettings, given);
  const tuned = named ?? tunedFileIn(stateFolderOf(plain));
  const settings =
    flags.tune === true || tuned === null
      ? plain
      : readSettings(BenchSettings, { ...given, MILLRACE_TUNED_FILE: tuned });
  const [entry] = await completeModels(settings.MILLRACE_MODEL.slice(0, 1));
  if (entry === undefined) throw new StartError('No model is named; give one with --model.');
  const folder = await openModelFolder(entry.folder);
  const opened: OpenedFolder = { folder, prefillParts: settings.MILLRACE_PREFILL_PARTS };
  const machine = processors();
  const say = (line: string) => console.error(line);
  say(`${folder.name} on ${describeProcessors(machine)}`);
  if (flags.tune !== true) {
    const chosen: EngineSettings = {
      threads: settings.MILLRACE_THREADS || (settings.MILLRACE_CPUS?.length ?? machine.parallelism),
      cpus: settings.MILLRACE_CPUS ?? null,
      spinUs: settings.MILLRACE_SPIN_US ?? DEFAULT_SPIN_US,
      prefillChunkTokens: settings.MILLRACE_PREFILL_CHUNK,
    };
    const rows = await speeds(opened, chosen, settings.MILLRACE_SLOTS, flags.seconds ?? DEFAULT_SECONDS);
    console.log(flags.json === true ? JSON.stringify({ settings: chosen, rows }, null, 2) : speedsText(rows));
    return 0;
  }
  const tuning = await tune({
    open: (candidate) => openMeasured(opened, candidate, machine),
    processors: machine,
    budgetMs: (flags.seconds ?? DEFAULT_TUNE_SECONDS) * 1_000,
    now: () => performance.now(),
    onProgress: say,
  });
  const file = resolve(flags.output ?? named ?? join(stateFolderOf(settings), TUNED_FILE));
  writeTuned(file, tuning, folder.name, machine);
  console.log(flags.json === true ? JSON.stringify({ ...tuning, file }, null, 2) : tuningText(tuning));
  say(
    `\nWritten to ${relative(process.cwd(), file)}: \`millrace up\` reads it there, a worker where MILLRACE_TUNED_FILE names it.`,
  );
  return 0;
}

function writeTuned(file: string, { best }: Tuning, model: string, machine: Processors): void {
  const values: TunedFile['values'] = {
    MILLRACE_THREADS: String(best.threads),
    ...(best.cpus !== null && { MILLRACE_CPUS: best.cpus.join(',') }),
    MILLRACE_SPIN_US: String(best.spinUs),
    MILLRACE_PREFILL_CHUNK: String(best.prefillChunkTokens),
    MILLRACE_SLOTS: String(best.slots),
  };
  const remarks = [`millrace bench --tune, ${new Date().toISOString()}, with ${model}`, describeProcessors(machine)];
  mkdirSync(dirname(file), { recursive: true });
  // Whole or not at all: a worker may be starting.
  writeFileSync(`${file}.new`, formatTunedFile(values, machine.parallelism, remarks));
  renameSync(`${file}.new`, file);
}

/** A model folder and what of a worker's settings is not tried. */
interface OpenedFolder {
  readonly folder: ModelFolder;
  readonly prefillParts: number;
}

async function openMeasured(
  opened: OpenedFolder,
  candidate: EngineSettings,
  machine: Processors,
): Promise<MeasuredModel> {
  // Later threads would stay where an earlier candidate put them.
  const { cpus: wanted } = candidate;
  if (wanted !== null) runOnProcessors(wanted);
  else if (machine.nodes.length > 1) runOnProcessors(machine.allowed);
  const runner = await openRunner(opened, candidate, MOST_ROWS);
  const speed = new ModelSpeed(runner);
  return {
    decode: (rows, slice) => speed.decode(rows, slice),
    prefill: (tokens, slice) => speed.prefill(tokens, slice),
    [Symbol.asyncDispose]: async () => runner.close(),
  };
}

async function openRunner(
  { folder, prefillParts }: OpenedFolder,
  { threads, spinUs }: EngineSettings,
  slots: number,
): Promise<ModelRunner> {
  return openModelRunner({
    modelFile: folder.modelFile,
    embeddingFile: folder.embeddingFile,
    slots,
    slotTokens: Math.min(SLOT_TOKENS, folder.config.maxPositions ?? SLOT_TOKENS),
    threads,
    spinUs,
    binding: 'auto',
    maxChunkTokens: LONGEST_CHUNK,
    prefillParts,
  });
}

interface SpeedRow {
  readonly name: string;
  /** Tokens per second of the runner alone. */
  readonly runner: number;
  /** The same of the whole engine; null where it is the same. */
  readonly engine: number | null;
}

/** Runner and engine in turns, on the same loaded model. */
async function speeds(
  opened: OpenedFolder,
  chosen: EngineSettings,
  slots: number,
  seconds: number,
): Promise<SpeedRow[]> {
  if (chosen.cpus !== null) runOnProcessors(chosen.cpus);
  const runner = await openRunner(opened, chosen, Math.min(slots, MOST_ROWS));
  const alone = new ModelSpeed(runner);
  const engine = new EngineSpeed(runner, opened.folder.tokenTable(), chosen.prefillChunkTokens);
  const counts = [...new Set([1, 8, Math.min(slots, MOST_ROWS)])].filter((rows) => rows <= slots);
  const sliceMs = (seconds * 1_000) / (2 * counts.length + 1);
  const rows: SpeedRow[] = [
    { name: 'prefill', runner: await alone.prefill(chosen.prefillChunkTokens, { sliceMs }), engine: null },
  ];
  for (const count of counts) {
    const bare = await alone.decode(count, { sliceMs }, engine.contextTokens(count));
    rows.push({ name: `decode, ${count} at once`, runner: bare, engine: await engine.decode(count, { sliceMs }) });
  }
  await engine.close();
  return rows;
}

function speedsText(rows: readonly SpeedRow[]): string {
  const lines = rows.map(({ name, runner, engine }) => [
    name,
    perSecond(runner),
    engine === null ? '' : perSecond(engine),
    engine === null ? '' : `${Math.round((100 * engine) / runner)} %`,
  ]);
  return textTable([['tokens/s', 'bare runs', 'engine', ''], ...lines]);
}

function tuningText({ rows, best }: Tuning): string {
  const names = ['decode 1', 'decode 8', 'decode', 'prefill'];
  const lines = rows.map(({ setting, candidate, speeds: found, chosen }) => [
    setting,
    candidate,
    ...names.map((name) => (found[name] === undefined ? '' : perSecond(found[name]))),
    chosen ? '◀' : Object.keys(found).length === 0 ? 'not measured, for want of time' : '',
  ]);
  const head = ['', '', ...names.map((name) => `${name}, tokens/s`), ''];
  const pinned = best.cpus === null ? '' : ` on processors ${best.cpus.join(',')}`;
  const summary = `Best: threads ${best.threads}${pinned}, spinning ${best.spinUs} µs, chunks of ${best.prefillChunkTokens} tokens, ${best.slots} slots`;
  return `${textTable([head, ...lines])}\n\n${summary}`;
}

function perSecond(speed: number): string {
  return speed >= 100 ? String(Math.round(speed)) : speed.toFixed(1);
}
