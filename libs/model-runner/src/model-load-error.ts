/** A model that cannot be run here: the message names the file, the input or operator at fault, and the remedy. */
export class ModelLoadError extends Error {
  readonly code = 'model_load_failed';
  readonly modelFile: string;

  constructor(modelFile: string, problem: string, options: { cause?: unknown } = {}) {
    super(`Cannot load the model ${modelFile}: ${problem}`, options);
    this.name = 'ModelLoadError';
    this.modelFile = modelFile;
  }
}
