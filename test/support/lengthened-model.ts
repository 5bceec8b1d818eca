import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import onnxProto from 'onnx-proto';

export interface LengthenedModel extends AsyncDisposable {
  /** Its last part is the model's name. */
  readonly folder: string;
}

/**
 * A copy of a fixture model with room for more positions, whose answers last as long as a test needs: its weights are the same, and
 * so is every token within the original's positions. Gone when disposed.
 *
 * @param folder with a `model.onnx` whose rotary tables are the initializers `cos_cache` and `sin_cache`
 */
export async function lengthenedModel(folder: string, positions: number): Promise<LengthenedModel> {
  const root = await mkdtemp(join(tmpdir(), 'millrace-model-'));
  const copy = join(root, basename(folder));
  await cp(folder, copy, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  const model = onnxProto.onnx.ModelProto.decode(await readFile(join(folder, 'model.onnx')));
  for (const tensor of model.graph?.initializer ?? []) {
    if (tensor.name !== 'cos_cache' && tensor.name !== 'sin_cache') continue;
    const pairs = Number(tensor.dims?.[1]);
    const angles = Float32Array.from(
      { length: positions * pairs },
      (_, index) => Math.floor(index / pairs) * config.rope_theta ** (-(index % pairs) / pairs),
    );
    const table = angles.map(tensor.name === 'cos_cache' ? Math.cos : Math.sin);
    // What is there stays, to the bit.
    new Uint8Array(table.buffer).set(tensor.rawData ?? new Uint8Array());
    tensor.rawData = new Uint8Array(table.buffer);
    tensor.dims = [positions, pairs];
  }
  await writeFile(join(copy, 'model.onnx'), onnxProto.onnx.ModelProto.encode(model).finish());
  await writeFile(join(copy, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: positions }));
  return { folder: copy, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}
