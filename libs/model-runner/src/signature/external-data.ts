import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { onnx } from 'onnx-proto';
import { ModelLoadError } from '../model-load-error.ts';

/** ONNX's TensorProto.DataLocation.EXTERNAL */
const EXTERNAL = 1;

/** Where a tensor's bytes are, beside the model's file; null where they are in it. `bytes` is 0 where the file does not say. */
export function externalPlace(tensor: onnx.ITensorProto): { location: string; offset: number; bytes: number } | null {
  if (tensor.dataLocation !== EXTERNAL) return null;
  const entries = new Map((tensor.externalData ?? []).map((entry) => [entry.key, entry.value ?? '']));
  return {
    location: entries.get('location') ?? '',
    offset: Number(entries.get('offset') ?? 0),
    bytes: Number(entries.get('length') ?? 0),
  };
}

/**
 * Checks that every file of external weights is there and long enough; ONNX Runtime says neither clearly.
 * @returns their bytes all together
 * @throws ModelLoadError naming every missing or short file and the bytes it should have
 */
export async function assertExternalData(modelFile: string, tensors: readonly onnx.ITensorProto[]): Promise<number> {
  const bytesNeeded = new Map<string, number>();
  for (const tensor of tensors) {
    const place = externalPlace(tensor);
    if (place === null) continue;
    const { location, offset, bytes } = place;
    bytesNeeded.set(location, Math.max(offset + bytes, bytesNeeded.get(location) ?? 0));
  }
  const problems: string[] = [];
  for (const [location, bytes] of bytesNeeded) {
    const size = await stat(join(dirname(modelFile), location)).then(
      (file) => file.size,
      () => null,
    );
    if (size === null) problems.push(`${location} is missing (at least ${bytes} bytes)`);
    else if (size < bytes) problems.push(`${location} has ${size} bytes, at least ${bytes} are needed`);
  }
  if (problems.length === 0) return [...bytesNeeded.values()].reduce((sum, bytes) => sum + bytes, 0);
  throw new ModelLoadError(
    modelFile,
    `its weights are incomplete: ${problems.join('; ')}. Copy the whole folder again.`,
  );
}
