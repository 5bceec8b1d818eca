import {
  areEqual,
  type JinjaArguments,
  JinjaCallable,
  JinjaFunction,
  JinjaNamespace,
  type JinjaValue,
} from './jinja-value.ts';

/** What is the same for all items of a loop. */
export interface LoopSurroundings {
  readonly items: readonly JinjaValue[];
  /** What `loop.changed` was given last. */
  readonly changes: JinjaValue[][];
  /** 1 outside of recursion. */
  readonly depth: number;
  /** `loop(…)` of a recursive loop: the text of the same loop over other items. */
  readonly again: ((given: JinjaArguments) => string) | null;
}

/** What a template reads of its loop. */
export function loopAt({ items, changes, depth, again }: LoopSurroundings, index: number): JinjaNamespace {
  const cycle = new JinjaFunction('cycle', ({ positional }) => positional[index % positional.length]);
  const changed = new JinjaFunction('changed', ({ positional }) => {
    const last = changes.at(-1);
    if (last !== undefined && areEqual([...last], [...positional])) return false;
    changes.push([...positional]);
    return true;
  });
  const fields: (readonly [string, JinjaValue])[] = [
    ['index', index + 1],
    ['index0', index],
    ['revindex', items.length - index],
    ['revindex0', items.length - index - 1],
    ['first', index === 0],
    ['last', index === items.length - 1],
    ['length', items.length],
    ['previtem', items[index - 1]],
    ['nextitem', items[index + 1]],
    ['cycle', cycle],
    ['changed', changed],
    ['depth', depth],
    ['depth0', depth - 1],
  ];
  return again === null ? new JinjaNamespace(fields) : new JinjaCallable(fields, again);
}
