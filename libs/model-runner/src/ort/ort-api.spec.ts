import { expect, it } from 'vitest';
import { ortLibraryPath } from './library-path.ts';
import { assertKnownVersion, created, ortApi } from './ort-api.ts';
import { OrtLibraryError } from './ort-library-error.ts';
import { OrtStatusError } from './ort-status-error.ts';

it('finds the library of every platform that onnxruntime-node ships, and says so where there is none', () => {
  expect(ortLibraryPath()).toContain('onnxruntime-node');
  expect(() => ortLibraryPath('freebsd')).toThrow(OrtLibraryError);
  expect(() => ortLibraryPath('linux', 'mips')).toThrow(/no library for linux mips/);
});

it('takes only versions whose table of calls is known', () => {
  for (const version of ['1.24.0', '1.30.0', '1.31.2']) assertKnownVersion(version, 'x');
  for (const version of ['1.23.9', '2.0.0', 'unknown'])
    expect(() => assertKnownVersion(version, 'x')).toThrow(`is ONNX Runtime ${version}`);
});

it('turns a status into an error with the call and its message', () => {
  const api = ortApi();
  const options = created((out) => api.createSessionOptions(out));
  const setLevel = () => api.setGraphOptimizationLevel(options, 12345);
  expect(setLevel).toThrow(OrtStatusError);
  expect(setLevel).toThrow(/graph_optimization_level/);
  api.releaseSessionOptions(options);
});

it('adds entries to a run, and one of the same name again where there is an environment that may say so', () => {
  const api = ortApi();
  const env = created((out) => api.createEnv(4, 'test', out));
  const options = created((out) => api.createRunOptions(out));
  for (const graph of ['1', '-1']) api.addRunConfigEntry(options, 'gpu_graph_id', graph);
  expect(() => api.addRunConfigEntry(options, '', '1')).toThrow(/key is empty/);
  api.releaseEnv(env);
});
