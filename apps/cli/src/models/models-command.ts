import { type Command, Option } from 'commander';
import { type ImportFlags, importCommand, positiveInteger } from './import-command.ts';

/** Adds `millrace models …`; `finish` runs a command and leaves with its exit code. */
export function addModelsCommand(program: Command, finish: (command: () => Promise<number>) => Promise<void>): void {
  const models = program.command('models').description('model folders: make them from other files');
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
}
