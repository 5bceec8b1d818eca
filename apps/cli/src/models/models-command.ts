import { type Command, Option } from 'commander';
import { type ImportFlags, importCommand, positiveInteger } from './import-command.ts';
import { type InspectFlags, inspectCommand } from './inspect-command.ts';
import { type PullFlags, pullCommand } from './pull-command.ts';

/** Adds `millrace models …`; `finish` runs a command and leaves with its exit code. */
export function addModelsCommand(program: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  const models = program.command('models').description('model folders: make, download, inspect them');
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
    .option('--positions <count>', "longest sequence, at most the model's own", positiveInteger)
    .option('--tokenizer <folder>', 'take tokenizer.json and tokenizer_config.json from here, not from the GGUF')
    .option('--chat-template <file>', 'take this Jinja template')
    .action((file: string, folder: string, flags: ImportFlags) => finish(() => importCommand(file, folder, flags)));
  models
    .command('inspect')
    .description('says what a worker would make of a model folder; exit code 1 when it cannot serve it')
    .argument('<folder>', 'a model folder, or a name below models/')
    .option('--slots <count>', 'sequences at once, for the memory shown', positiveInteger, 32)
    .option('--slot-tokens <count>', 'tokens of each, for the memory shown', positiveInteger, 2048)
    .option('--no-load', 'do not load the model; whether its cache stays in place is then not proven')
    .option('--json', 'as JSON')
    .action((folder: string, flags: InspectFlags) => finish(() => inspectCommand(folder, flags)));
  models
    .command('pull')
    .description('downloads a model folder from a hub (MILLRACE_HUB_URL, MILLRACE_HUB_TOKEN); goes on where it stopped')
    .argument('<repo>', 'owner/name')
    .argument('[folder]', "the folder to be made; the repository's name below models/ when left out")
    .option('--revision <name>', 'branch, tag or commit', 'main')
    .option('--variant <name>', 'q4 takes onnx/model_q4.onnx, and so on')
    .option('--subfolder <path>', 'folder of the repository that holds the model')
    .action((repo: string, folder: string | undefined, flags: PullFlags) =>
      finish(() => pullCommand(repo, folder, flags)),
    );
}
