import { describe, expect, it } from 'vitest';
import { formatModelEntry, readSettings, WorkerSettings } from '#config';

const modelsOf = (text: string, more: Record<string, string> = {}) =>
  readSettings(WorkerSettings, { MILLRACE_MODEL: text, ...more }).MILLRACE_MODEL;

describe('MILLRACE_MODEL', () => {
  it('is one model as ever, whatever its path', () => {
    expect(modelsOf('models/qwen/onnx/model_q4.onnx')).toEqual([
      { folder: 'models/qwen/onnx/model_q4.onnx', id: null, overrides: {} },
    ]);
    expect(modelsOf('/data/50% off')).toMatchObject([{ folder: '/data/50% off' }]);
  });

  it('names several, each with a name and options of its own', () => {
    expect(modelsOf('small, org/chat=models/qwen?slots=8&kvMb=512&cpus=0-1+4')).toEqual([
      { folder: 'small', id: null, overrides: {} },
      { folder: 'models/qwen', id: 'org/chat', overrides: { slots: 8, kvMb: 512, cpus: [0, 1, 4] } },
    ]);
  });

  it('is read back as it was when it is written', () => {
    const entries = modelsOf('chat=/a%2Cb%3D%3F%25/c?slotTokens=64&outputFormat=generic&cpus=2,small');
    expect(entries).toMatchObject([{ folder: '/a,b=?%/c', id: 'chat' }, { folder: 'small' }]);
    expect(modelsOf(entries.map(formatModelEntry).join(','))).toEqual(entries);
  });

  it.each([
    ['a,', /names no model/],
    ['=a', /names no model/],
    ['a?slots=0', /slots: Too small/],
    ['a?slot=3', /Unrecognized key: "slot".*there are slots, slotTokens/],
    ['a?cpus=3-1', /"3-1" is no range of processors/],
    ['x=a,x=b', /gives two models the same name/],
  ])('%s is refused with what is wrong', (text, problem) => {
    expect(() => modelsOf(text)).toThrow(problem);
  });

  it('has no one name for several models', () => {
    expect(() => modelsOf('a,b', { MILLRACE_MODEL_ID: 'x' })).toThrow(/MILLRACE_MODEL_ID.*name=folder/);
    expect(modelsOf('a', { MILLRACE_MODEL_ID: 'x' })).toHaveLength(1);
  });
});
