/** One thing that is wrong with a model folder. */
export interface ModelFolderProblem {
  /** Path of the file, relative to the folder. */
  readonly file: string;
  readonly problem: string;
  readonly remedy: string;
}

/** A model folder that cannot be served; lists every problem at once. */
export class ModelFolderError extends Error {
  readonly folder: string;
  readonly problems: readonly ModelFolderProblem[];

  constructor(folder: string, problems: readonly ModelFolderProblem[], options: { cause?: unknown } = {}) {
    const lines = problems.map(({ file, problem, remedy }) => `  - ${file}: ${problem}. Remedy: ${remedy}`);
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super(`The model folder ${folder} cannot be used, ${count}:\n${lines.join('\n')}`, options);
    this.name = new.target.name;
    this.folder = folder;
    this.problems = problems;
  }
}
