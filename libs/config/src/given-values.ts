import { readFileSync } from 'node:fs';

/** The texts of one process's settings before they are checked, and what was wrong with getting them. */
export interface GivenValues {
  readonly values: Readonly<Record<string, string>>;
  readonly problems: readonly string[];
}

/**
 * Takes each setting from its variable, or from the file that `<NAME>_FILE` names, as secrets are mounted. A file's last
 * line break does not count. Empty variables count as unset, as in compose files.
 */
export function givenValues(
  names: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): GivenValues {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of names) {
    const value = environment[name] ?? '';
    const file = environment[`${name}_FILE`] ?? '';
    if (value !== '') values[name] = value;
    if (file === '') continue;
    if (value !== '') problems.push(`${name} and ${name}_FILE are both set: unset one of them`);
    else {
      const content = contentOf(file);
      if (content.problem === null) values[name] = content.text;
      else problems.push(`${name}_FILE is "${file}": ${content.problem}`);
    }
  }
  return { values, problems };
}

function contentOf(file: string): { text: string; problem: string | null } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { text: '', problem: `the file can not be read (${reason}); mount it, readable for this user` };
  }
  return text === '' ? { text, problem: 'the file is empty; write the value into it' } : { text, problem: null };
}
