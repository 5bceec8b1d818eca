import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import type { KubernetesObject } from '../kustomize/kubernetes-object.ts';

interface SchemaFile {
  readonly definitions: Record<string, object>;
  /** `apps/v1/Deployment` → name of its definition */
  readonly kinds: Record<string, string>;
}

/** Checks objects against the schemas of one release of Kubernetes and of the custom resources. */
export class ManifestValidator {
  readonly #ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  readonly #references = new Map<string, string>();
  readonly #compiled = new Map<string, ValidateFunction>();

  /** @param kubernetes for example `1.33` */
  constructor(kubernetes: string) {
    for (const name of [`kubernetes-${kubernetes}`, 'custom-resources']) {
      const schema = readSchema(name) as SchemaFile;
      this.#ajv.addSchema({ definitions: schema.definitions }, name);
      for (const [kind, definition] of Object.entries(schema.kinds)) {
        this.#references.set(kind, `${name}#/definitions/${definition}`);
      }
    }
  }

  /** @returns what is wrong, one line a problem; empty when nothing is */
  problems(object: KubernetesObject): string[] {
    const kind = `${object.apiVersion}/${object.kind}`;
    const reference = this.#references.get(kind);
    const name = `${object.kind} ${object.metadata?.name}`;
    if (reference === undefined) return [`${name}: there is no schema of ${kind}`];
    let validate = this.#compiled.get(reference);
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: reference });
      this.#compiled.set(reference, validate);
    }
    if (validate(object)) return [];
    return (validate.errors ?? []).map((error) => {
      const detail = JSON.stringify(error.params);
      return `${name}${error.instancePath}: ${error.message} ${detail}`;
    });
  }
}

export function readSchema(name: string): object {
  return JSON.parse(readFileSync(join(import.meta.dirname, `${name}.json`), 'utf8')) as object;
}
