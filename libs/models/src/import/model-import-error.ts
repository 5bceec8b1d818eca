/** A model that cannot be imported: names the file, what is wrong with which value, and the remedy. */
export class ModelImportError extends Error {
  readonly file: string;
  readonly remedy: string;

  constructor(file: string, problem: string, remedy: string, options: { cause?: unknown } = {}) {
    super(`${file} cannot be imported: ${problem}. Remedy: ${remedy}`, options);
    this.name = new.target.name;
    this.file = file;
    this.remedy = remedy;
  }
}
