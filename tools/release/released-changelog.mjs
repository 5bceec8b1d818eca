const VERSION = /^\d+\.\d+\.\d+$/;

/** @throws Error when `version` does not follow `current` */
export function requireNewer(version, current) {
  if (!VERSION.test(version ?? '')) throw new Error(`"${version}" is no version like 1.2.3.`);
  const parts = (text) => text.split('.').map(Number);
  const [next, last] = [parts(version), parts(current)];
  const index = next.findIndex((part, place) => part !== last[place]);
  if (index === -1 || next[index] < last[index]) throw new Error(`${version} does not come after ${current}.`);
}

/**
 * CHANGELOG.md with what is under "Unreleased" under the version instead.
 * @throws Error when nothing is there, or the version is there already
 */
export function releasedChangelog(text, version, date) {
  if (text.includes(`\n## ${version} `)) throw new Error(`CHANGELOG.md has ${version} already.`);
  const [head, rest] = text.split('## Unreleased\n');
  if (rest === undefined) throw new Error('CHANGELOG.md has no "## Unreleased".');
  const [entries] = rest.split(/^## /m);
  if (!/^- /m.test(entries)) throw new Error('CHANGELOG.md says nothing under "Unreleased": write what changed.');
  return `${head}## Unreleased\n\n## ${version} – ${date}\n${rest}`;
}
