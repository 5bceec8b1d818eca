import { type Command, Option } from 'commander';
import { CliSettings, readSettings } from '#config';
import type { Layout } from '#models';
import { AdminClient } from '../admin/admin-client.ts';
import { positiveInteger, wholeNumber } from '../flag-numbers.ts';
import type { ImportFlags } from './import-command.ts';
import type { InspectFlags } from './inspect-command.ts';
import { type LiveFlags, LiveModels, liveModelsText } from './live-models.ts';
import type { PullFlags } from './pull-command.ts';

/** As `#models` has them, which takes longer to load than most commands take. */
const LAYOUTS = ['near', 'quick'] as const satisfies readonly Layout[];

/** Adds `millrace models …`; `finish` runs a command and leaves with its exit code. */
export function addModelsCommand(program: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  const models = program
    .command('models')
    .description('model folders: make, download, inspect them; models of running workers: list, load, unload them');
  models
    .command('import')
    .description('makes a model folder of a GGUF (Llama, Qwen2 and Qwen3 architectures)')
    .argument('<file>', 'the .gguf')
    .argument('<folder>', 'the folder to be made')
    .addOption(
      new Option('--quantize <how>', 'F32, F16 and BF16 weights: keep them exact, or 8 bits')
        .choices(['keep', 'q8'])
        .default('keep'),
    )
    .addOption(
      new Option(
        '--layout <how>',
        "quantized weights: near to the file's, or quick for prompts and batches (coarser activations, more memory)",
      )
        .choices(LAYOUTS)
        .default('near'),
    )
    .option('--positions <count>', "longest sequence, at most the model's own", positiveInteger)
    .option('--tokenizer <folder>', 'take tokenizer.json and tokenizer_config.json from here, not from the GGUF')
    .option('--chat-template <file>', 'take this Jinja template')
    .action((file: string, folder: string, flags: ImportFlags) =>
      finish(async () => (await import('./import-command.ts')).importCommand(file, folder, flags)),
    );
  models
    .command('inspect')
    .description('says what a worker would make of a model folder; exit code 1 when it cannot serve it')
    .argument('<folder>', 'a model folder, or a name below models/')
    .option('--slots <count>', 'sequences at once, for the memory shown', positiveInteger, 32)
    .option('--slot-tokens <count>', 'tokens of each, for the memory shown', positiveInteger, 2048)
    .option('--no-load', 'do not load the model; whether its cache stays in place is then not proven')
    .option('--json', 'as JSON')
    .action((folder: string, flags: InspectFlags) =>
      finish(async () => (await import('./inspect-command.ts')).inspectCommand(folder, flags)),
    );
  models
    .command('pull')
    .description('downloads a model folder from a hub (MILLRACE_HUB_URL, MILLRACE_HUB_TOKEN); goes on where it stopped')
    .argument('<repo>', 'owner/name')
    .argument('[folder]', "the folder to be made; the repository's name below models/ when left out")
    .option('--revision <name>', 'branch, tag or commit', 'main')
    .option('--variant <name>', 'q4 takes onnx/model_q4.onnx, and so on')
    .option('--subfolder <path>', 'folder of the repository that holds the model')
    .action((repo: string, folder: string | undefined, flags: PullFlags) =>
      finish(async () => (await import('./pull-command.ts')).pullCommand(repo, folder, flags)),
    );
  addLiveCommands(models, finish);
}

/** Those that ask a running API (MILLRACE_URL). */
function addLiveCommands(models: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  /** @param work what is done with the models of running workers */
  const live = (work: (models: LiveModels) => Promise<void>) =>
    finish(async () => {
      const client = new AdminClient(readSettings(CliSettings));
      await work(new LiveModels((method, path, body) => client.call(method, path, body), console.log));
      return 0;
    });
  const onWorker = (command: Command) =>
    command
      .option('--worker <id>', 'which one; `all` for every one. Not needed where there is one')
      .option('--no-wait', 'return when it has begun');

  models
    .command('ps')
    .description('the models that running workers have, in whatever state, through a running API (MILLRACE_URL)')
    .option('--json', 'as JSON')
    .action(({ json }: { json?: boolean }) =>
      live(async (running) => {
        const workers = await running.workers();
        console.log(json === true ? JSON.stringify({ workers }, null, 2) : liveModelsText(workers));
      }),
    );
  onWorker(models.command('load'))
    .description('has a running worker load one more model, and waits until it serves it')
    .argument('<model>', "as in the worker's MILLRACE_MODEL: [name=]folder[?slots=8&…], a folder on its machine")
    .action((entry: string, flags: LiveFlags) => live((running) => running.load(entry, flags)));
  onWorker(models.command('unload'))
    .description('has a running worker drain and unload a model, and waits until its memory is free')
    .argument('<model>', 'the name under which clients ask for it')
    .option('--grace-ms <ms>', "time for requests that run; the worker's MILLRACE_GRACE_MS when left out", wholeNumber)
    .action((model: string, flags: LiveFlags & { graceMs?: number }) =>
      live((running) => running.unload(model, flags)),
    );
}
