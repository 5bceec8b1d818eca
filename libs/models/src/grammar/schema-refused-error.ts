import { type ErrorCode, MillraceError } from '#contracts/ports';

/** Where in a schema something stands: keys and indices from its root. */
export type SchemaPath = readonly (string | number)[];

/** A JSON schema that is not enforced: it uses a keyword that can not be, contradicts itself, or is too large. */
export class SchemaRefusedError extends MillraceError {
  readonly path: SchemaPath;

  constructor(
    code: Extract<ErrorCode, 'invalid_request' | 'unsupported_parameter'>,
    path: SchemaPath,
    message: string,
  ) {
    const field = spellPath(path);
    super(code, `JSON schema${field === '' ? '' : ` at ${field}`}: ${message}`, { param: field });
    this.path = path;
  }
}

/** `properties.list.items[2]`; keys that are no identifiers are quoted: `properties["a b"]`. */
function spellPath(path: SchemaPath): string {
  return path
    .map((key, depth) => {
      if (typeof key === 'number') return `[${key}]`;
      if (!/^[$\w-]+$/.test(key)) return `[${JSON.stringify(key)}]`;
      return depth === 0 ? key : `.${key}`;
    })
    .join('');
}
