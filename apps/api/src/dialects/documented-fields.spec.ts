import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CHAT_FIELDS } from './chat-request/chat-fields.ts';

const root = new URL('../../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

const rows = read('docs/api/fields.md')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')))
  .map(([field = '', , file = '', test = '']) => ({ field: field.replaceAll('`', ''), file, test }));

describe('docs/api/fields.md', () => {
  it('names files and tests that exist', () => {
    expect(rows.length).toBeGreaterThan(100);
    for (const { field, file, test } of rows) {
      expect(() => read(file), `${field}: ${file}`).not.toThrow();
      const [, path = '', title = ''] = /^(\S+): (.+)$/.exec(test) ?? [];
      expect(read(path).includes(title), `${field}: "${title}" in ${path}`).toBe(true);
    }
  });

  it('tells of every field that a request may have', () => {
    const told = new Set(rows.flatMap(({ field }) => field.split(', ').map((name) => name.split('.')[0])));
    for (const field of Object.keys(CHAT_FIELDS)) expect(told, field).toContain(field);
  });
});
