import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { inspectModel } from './inspect-model.ts';
import { severalPositions } from './several-positions.ts';

const fixture = (path: string) =>
  inspectModel(fileURLToPath(new URL(`../../../../test/fixtures/${path}`, import.meta.url)));

async function counted(path: string) {
  const signature = await fixture(path);
  const several = severalPositions(signature);
  if (typeof several === 'string') throw new Error(several);
  return { signature, several };
}

describe('severalPositions', () => {
  it('lets graphs that we give the last position take a number of them', async () => {
    const { signature, several } = await counted('models/tiny-llama/model.onnx');
    expect(signature.edits).toMatchObject([{ kind: 'lengths' }, { kind: 'last-position' }]);
    expect(several.edits).toEqual([signature.edits[0], { ...signature.edits[1], counted: true }]);
    expect(several.sideInputs.at(-1)).toEqual({ kind: 'num_logits_to_keep', rank: 1 });
    expect(several.logits.positions).toBe('last');
  });

  it('lets folders that leave the last position themselves take a number of them', async () => {
    const { signature, several } = await counted('models/tiny-qwen2/model.onnx');
    expect(signature.edits.map(({ kind }) => kind)).toEqual(['lengths']);
    expect(several.edits).toMatchObject([
      { kind: 'lengths' },
      { kind: 'sliced-positions', outputs: [expect.any(String), expect.any(String)], counted: true },
    ]);
  });

  it('leaves graphs as they are that give every position, or can be told of how many anyway', async () => {
    const signature = { ...(await fixture('models/tiny-llama/model.onnx')), edits: [], countedEdits: [] };
    expect(severalPositions(signature)).toBe(signature);
  });

  it('says why others can not', async () => {
    const signature = await fixture('models/tiny-llama/model.onnx');
    expect(severalPositions({ ...signature, countedEdits: null })).toMatch(
      /last position's logits only.*import it anew/,
    );
    expect(severalPositions({ ...signature, rowsRunAlone: true })).toMatch(/change those that stay/);
    expect(severalPositions(await fixture('exports/lfm2-builder-int4/model.onnx'))).toMatch(
      /states of some of its layers.*can not go back/,
    );
  });
});
