import { isJsonObject, type Json, type JsonObject } from './kubernetes-object.ts';

/** By which field the elements of a list are the same; lists that are not here are replaced as a whole. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  ports: 'containerPort',
};

/** A strategic merge patch, as far as k8s/ needs it: maps merge, null removes, lists of `MERGE_KEYS` merge by their key. */
export function mergePatch(target: Json, patch: Json, listName = ''): Json {
  if (isJsonObject(target) && isJsonObject(patch)) return mergeObjects(target, patch);
  const key = MERGE_KEYS[listName];
  if (key === undefined || !Array.isArray(target) || !Array.isArray(patch)) return patch;
  return mergeLists(target as readonly JsonObject[], patch as readonly JsonObject[], key);
}

function mergeObjects(target: JsonObject, patch: JsonObject): JsonObject {
  const result: Record<string, Json> = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = name in target ? mergePatch(target[name] as Json, value, name) : value;
  }
  return result;
}

/** The patch's elements come first, as kustomize puts them. */
function mergeLists(target: readonly JsonObject[], patch: readonly JsonObject[], key: string): readonly JsonObject[] {
  const targets = new Map(target.map((element) => [element[key], element]));
  const merged = patch.map((change) => {
    const element = targets.get(change[key]);
    targets.delete(change[key]);
    return element === undefined ? change : mergeObjects(element, change);
  });
  return [...merged, ...targets.values()];
}
