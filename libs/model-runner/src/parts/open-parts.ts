import { readFile, stat } from 'node:fs/promises';
import { CApiSession } from '../binding/c-api-session.ts';
import type { ChangedModel, SessionBinding, SessionOptions } from '../binding/session-binding.ts';
import { modelName } from '../binding/session-config.ts';
import type { ElementType } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import { modelParts } from './model-parts.ts';
import { type OpenPart, PartedSession } from './parted-session.ts';

/** Weights inside the file would be in memory twice while it is cut. */
const MOST_BYTES_CUT = 64 * 1024 * 1024;

/**
 * Opens a model on the CPU as `count` parts.
 * @throws OrtLibraryError; ModelLoadError also where it cannot be cut so
 */
export async function openParts(
  options: Omit<SessionOptions, 'provider'>,
  count: number,
  hiddenType: ElementType,
): Promise<SessionBinding> {
  const { model, inputNames, outputNames } = options;
  const cannot = (problem: string) => new ModelLoadError(modelName(model), problem);
  if (model instanceof Uint8Array) throw cannot('it is in no file.');
  const graphBytes = typeof model === 'string' ? (await stat(model)).size : model.bytes.byteLength;
  if (graphBytes > MOST_BYTES_CUT) throw cannot('its weights are inside the ONNX file; keep them in a file beside it.');
  const whole: ChangedModel = typeof model === 'string' ? { file: model, bytes: await readFile(model) } : model;
  const parts = modelParts(whole, count, hiddenType);
  if (parts === null) throw cannot(`no ${count} groups of layers are found in its graph.`);
  const opened: OpenPart[] = [];
  try {
    for (const part of parts) {
      const names = {
        inputNames: [...part.inputNames, ...part.takes],
        outputNames: [...part.outputNames, ...part.leaves],
      };
      const first: CApiSession | null = opened[0]?.session ?? null;
      opened.push({
        ...part,
        session: new CApiSession({ ...options, ...names, model: part.model, provider: 'cpu' }, first),
      });
    }
  } catch (error) {
    for (const { session } of opened.reverse()) session.close();
    throw error;
  }
  const [first, ...others] = opened;
  if (first === undefined) throw cannot('it has no parts.');
  return new PartedSession([first, ...others], inputNames, outputNames);
}
