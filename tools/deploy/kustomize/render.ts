import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { isJsonObject, type Json, type KubernetesObject } from './kubernetes-object.ts';
import { mergePatch } from './merge-patch.ts';

interface Kustomization {
  readonly apiVersion: string;
  readonly kind: 'Kustomization' | 'Component';
  readonly namespace?: string;
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly { readonly patch?: string; readonly path?: string }[];
  readonly images?: readonly { readonly name: string; readonly newName?: string; readonly newTag?: string }[];
  readonly labels?: readonly { readonly pairs: Record<string, string> }[];
  readonly configMapGenerator?: readonly { readonly name: string; readonly files: readonly string[] }[];
  readonly generatorOptions?: { readonly disableNameSuffixHash: true; readonly labels?: Record<string, string> };
}

const FIELDS = new Set(
  'apiVersion kind namespace resources components patches images labels configMapGenerator generatorOptions'.split(' '),
);
const CLUSTER_KINDS = new Set(['Namespace', 'PriorityClass']);

/**
 * The objects of a kustomization, as `kubectl kustomize` renders them, so that the manifests can be checked where there
 * is no kubectl. Knows what k8s/ uses and refuses anything else; a test compares both where there is one.
 * @throws Error naming folder and field
 */
export function render(folder: string, given: readonly KubernetesObject[] = []): KubernetesObject[] {
  const file = join(folder, 'kustomization.yaml');
  const kustomization = parse(readFileSync(file, 'utf8')) as Kustomization;
  const unknown = Object.keys(kustomization).filter((field) => !FIELDS.has(field));
  if (unknown.length > 0) throw new Error(`${file}: ${unknown.join(', ')} is not known to tools/deploy/kustomize.`);

  let objects = [...given];
  for (const entry of kustomization.resources ?? []) objects.push(...resource(join(folder, entry)));
  objects.push(...configMaps(folder, kustomization));
  for (const entry of kustomization.components ?? []) objects = render(join(folder, entry), objects);
  for (const { patch, path } of kustomization.patches ?? []) {
    const text = patch ?? readFileSync(join(folder, path ?? ''), 'utf8');
    objects = patched(objects, parse(text) as KubernetesObject, file);
  }
  return objects.map((object) => finished(object, kustomization));
}

function resource(path: string): KubernetesObject[] {
  if (statSync(path).isDirectory()) return render(path);
  return parseAllDocuments(readFileSync(path, 'utf8')).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors[0]?.message}`);
    return document.toJS() as KubernetesObject;
  });
}

function configMaps(folder: string, { configMapGenerator = [], generatorOptions }: Kustomization): KubernetesObject[] {
  if (configMapGenerator.length > 0 && generatorOptions?.disableNameSuffixHash !== true) {
    throw new Error(`${folder}: generatorOptions.disableNameSuffixHash must be true.`);
  }
  return configMapGenerator.map(({ name, files }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...(generatorOptions?.labels && { labels: generatorOptions.labels }) },
    data: Object.fromEntries(files.map((file) => [basename(file), readFileSync(join(folder, file), 'utf8')])),
  }));
}

function patched(objects: readonly KubernetesObject[], patch: KubernetesObject, file: string): KubernetesObject[] {
  let found = false;
  const result = objects.map((object) => {
    if (object.kind !== patch.kind || object.metadata.name !== patch.metadata.name) return object;
    found = true;
    return mergePatch(object as unknown as Json, patch as unknown as Json) as unknown as KubernetesObject;
  });
  if (!found) throw new Error(`${file}: there is no ${patch.kind} ${patch.metadata.name} to patch.`);
  return result;
}

function finished(object: KubernetesObject, { namespace, labels = [], images = [] }: Kustomization): KubernetesObject {
  const pairs = Object.assign({}, ...labels.map((entry) => entry.pairs)) as Record<string, string>;
  const metadata = {
    ...object.metadata,
    ...(namespace !== undefined && !CLUSTER_KINDS.has(object.kind) && { namespace }),
    ...(Object.keys(pairs).length > 0 && { labels: { ...object.metadata.labels, ...pairs } }),
  };
  return withImages({ ...object, metadata } as unknown as Json, images) as unknown as KubernetesObject;
}

function withImages(value: Json, images: NonNullable<Kustomization['images']>, key = ''): Json {
  if (Array.isArray(value)) return value.map((element: Json) => withImages(element, images, key));
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, withImages(inner, images, name)] as const);
  const result: Record<string, Json> = Object.fromEntries(entries);
  const image = images.find(({ name }) => key === 'containers' && name === value.image);
  if (image !== undefined) result.image = `${image.newName ?? image.name}${image.newTag ? `:${image.newTag}` : ''}`;
  return result;
}
