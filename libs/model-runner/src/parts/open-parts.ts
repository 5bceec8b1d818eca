import { CApiSession } from '../binding/c-api-session.ts';
import type { ChangedModel, SessionBinding, SessionOptions } from '../binding/session-binding.ts';
import type { ElementType } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import { SharedArena } from '../ort/shared-arena.ts';
import { returnFreeMemory } from '../return-free-memory.ts';
import { modelParts } from './model-parts.ts';
import { type OpenPart, PartedSession } from './parted-session.ts';

/**
 * Opens a model on the CPU as `count` parts, the last one first: it has the head, whose packing takes most memory for a while, and then
 * nothing else is there yet.
 * @throws OrtLibraryError; ModelLoadError also where it cannot be cut so
 */
export async function openParts(
  options: Omit<SessionOptions, 'provider'> & { readonly model: ChangedModel },
  count: number,
  hiddenType: ElementType,
): Promise<SessionBinding> {
  const { model, inputNames, outputNames } = options;
  const cannot = (problem: string) => new ModelLoadError(model.file, problem);
  const parts = modelParts(model, count, hiddenType);
  if (parts === null) throw cannot(`no ${count} groups of layers are found in its graph.`);
  const opened: OpenPart[] = [];
  using _arena = new SharedArena();
  try {
    for (const part of parts.toReversed()) {
      const names = {
        inputNames: [...part.inputNames, ...part.takes],
        outputNames: [...part.outputNames, ...part.leaves],
      };
      const last: CApiSession | null = opened.at(-1)?.session ?? null;
      const session = new CApiSession(
        { ...options, ...names, model: part.model, provider: 'cpu', inSequence: true },
        last,
      );
      opened.unshift({ ...part, session });
      // What folding and packing leave behind is not to stand beside the next part's.
      returnFreeMemory();
    }
  } catch (error) {
    for (const { session } of opened) session.close();
    throw error;
  }
  const [first, ...others] = opened;
  if (first === undefined) throw cannot('it has no parts.');
  return new PartedSession([first, ...others], inputNames, outputNames);
}
