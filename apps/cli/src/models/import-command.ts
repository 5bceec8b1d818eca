import { importGguf, LAYOUTS } from '#models';
import { Progress } from './progress.ts';

export interface ImportFlags {
  readonly quantize?: string;
  readonly layout?: string;
  readonly positions?: number;
  readonly tokenizer?: string;
  readonly chatTemplate?: string;
}

/**
 * `millrace models import`: a GGUF into a model folder, with what was made of it.
 * @returns 0
 */
export async function importCommand(file: string, folder: string, flags: ImportFlags): Promise<number> {
  const progress = new Progress();
  const imported = await importGguf({
    file,
    folder,
    quantize: flags.quantize === 'q8' ? 'q8' : 'keep',
    layout: LAYOUTS.find((layout) => layout === flags.layout) ?? 'near',
    ...(flags.positions !== undefined && { positions: flags.positions }),
    ...(flags.tokenizer !== undefined && { tokenizerFolder: flags.tokenizer }),
    ...(flags.chatTemplate !== undefined && { chatTemplateFile: flags.chatTemplate }),
    onProgress: ({ writtenBytes }) => progress.show(`weights written: ${megabytes(writtenBytes)}`),
  });
  progress.end();
  const { decoder } = imported;
  const layouts = Object.entries(imported.layouts).map(([layout, count]) => `${count} ${layout}`);
  console.log(`${imported.folder}
  ${decoder.architecture}, ${decoder.layers} layers of ${decoder.hidden}, ${decoder.heads} heads (${decoder.kvHeads} for keys and values) of ${decoder.headSize}
  vocabulary ${imported.vocabularySize}, ${decoder.positions} positions, embedding ${imported.tied ? 'shared with' : 'apart from'} the head
  matrices: ${layouts.join(', ')}; ${megabytes(imported.writtenBytes)} of weights
Try it: npx millrace up --model ${imported.folder}`);
  return 0;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
