import type { Command } from 'commander';
import { positiveInteger, positiveNumber, wholeNumber } from '../flag-numbers.ts';
import type { ReplayFlags } from '../replay/replay-command.ts';
import type { BenchFlags } from './bench-command.ts';
import { secondsToMeasure } from './seconds-to-measure.ts';

/** Adds `millrace bench` and `millrace bench replay`; `finish` runs a command and leaves with its exit code. */
export function addBenchCommands(program: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  const bench = program
    .command('bench')
    .description(
      'how fast the configured model is on this machine, beside bare runs of it; with `replay`, what a running cluster makes of recorded load',
    )
    .enablePositionalOptions()
    .option('--model <folder>', 'model folder or name (MILLRACE_MODEL)')
    .option(
      '--tune',
      'tries threads, spinning, chunks and slots, and writes the best to a file that `up` and workers read',
    )
    .option(
      '--seconds <count>',
      'time for all of it, at most 180; 20, with --tune 120, when left out',
      secondsToMeasure,
    )
    .option('--output <file>', 'where --tune writes; .millrace/tuned.env when left out (MILLRACE_TUNED_FILE)')
    .option('--json', 'as JSON')
    .action((flags: BenchFlags) =>
      finish(async () => (await import('./bench-command.ts')).benchCommand(flags, process.env)),
    );
  bench
    .command('replay')
    .description(
      'sends the requests of a recorded trace to a running cluster, when they came and as long as they were, and tells what became of them',
    )
    .argument('<trace>', "Azure's LLM inference traces (CSV), BurstGPT (CSV) or Mooncake (JSON lines)")
    .option('--url <url>', 'any API replica (MILLRACE_URL)')
    .option('--key <key>', 'any key of it (MILLRACE_API_KEY); the one that `millrace up` keeps when left out')
    .option('--model <name>', 'the first of GET /v1/models when left out')
    .option('--speed <factor>', 'how many times as quickly as they came', positiveNumber, 1)
    .option('--from <seconds>', 'where in the trace to begin', wholeNumber, 0)
    .option('--for <seconds>', 'how much of the trace, in its own time', positiveNumber)
    .option('--requests <count>', 'most requests', positiveInteger)
    .option('--scale <factor>', 'what lengths of prompts and answers are multiplied with', positiveNumber, 1)
    .option('--max-prompt-tokens <count>', 'longer prompts are cut, and counted', positiveInteger)
    .option('--max-answer-tokens <count>', 'longer answers are cut, and counted', positiveInteger)
    .option(
      '--seed <number>',
      'of the words: with the same one, prompts are those of an earlier replay',
      wholeNumber,
      1,
    )
    .option('--ttft <ms>', 'latest first token of an answer that counts as good', positiveNumber, 1_000)
    .option('--tpot <ms>', 'most time a token, behind the first one, of such an answer', positiveNumber, 100)
    .option('--patience <seconds>', 'how long answers are waited for when all requests are sent', positiveNumber, 60)
    .option('--json', 'as JSON')
    .action((trace: string, flags: ReplayFlags) =>
      finish(async () => (await import('../replay/replay-command.ts')).replayCommand(trace, flags)),
    );
}
