import { type CharacterSet, union } from './character-set.ts';
import type { Language, Languages } from './regular-language.ts';

export interface AutomatonState {
  readonly accepting: boolean;
  readonly edges: readonly { readonly set: CharacterSet; readonly target: number }[];
}

/** A deterministic automaton whose first state is the start; from every state an accepting one can be reached. */
export type Automaton = readonly AutomatonState[];

/**
 * The automaton of a language, or null when it needs more than `maxStates`. Empty when the language holds no text.
 * States are derivatives; they are not merged further.
 */
export function automatonOf(languages: Languages, language: Language, maxStates: number): Automaton | null {
  const numbers = new Map<Language, number>([[language, 0]]);
  const order = [language];
  const edges: Map<number, CharacterSet[]>[] = [];
  for (let state = 0; state < order.length; state++) {
    const targets = new Map<number, CharacterSet[]>();
    for (const alike of languages.alikeIn(order[state])) {
      const next = languages.derive(order[state], alike[0]);
      if (next === languages.nothing) continue;
      let target = numbers.get(next);
      if (target === undefined) {
        target = order.push(next) - 1;
        if (order.length > maxStates) return null;
        numbers.set(next, target);
      }
      const sets = targets.get(target);
      if (sets === undefined) targets.set(target, [alike]);
      else sets.push(alike);
    }
    edges.push(targets);
  }
  const accepting = order.map(({ nullable }) => nullable);
  // The same sets come in many states; what is made of each later is made once.
  const unions = new Map<string, CharacterSet>();
  const numbered = new Map<CharacterSet, number>();
  const joined = (sets: readonly CharacterSet[]): CharacterSet => {
    const [only] = sets;
    if (sets.length === 1 && only !== undefined) return only;
    for (const set of sets) if (!numbered.has(set)) numbered.set(set, numbered.size);
    const key = sets.map((set) => numbered.get(set)).join(',');
    const set = unions.get(key) ?? union(...sets);
    unions.set(key, set);
    return set;
  };
  return withoutDeadEnds(
    edges.map((targets, state) => ({
      accepting: accepting[state],
      edges: [...targets].map(([target, sets]) => ({ set: joined(sets), target })),
    })),
  );
}

/** The automaton of a list of texts: the tree of their beginnings. */
export function automatonOfTexts(texts: readonly string[]): Automaton {
  const states: { accepting: boolean; readonly targets: Map<number, number> }[] = [
    { accepting: false, targets: new Map() },
  ];
  for (const text of texts) {
    let state = 0;
    for (const character of text) {
      const codePoint = character.codePointAt(0) ?? 0;
      let target = states[state].targets.get(codePoint);
      if (target === undefined) {
        target = states.push({ accepting: false, targets: new Map() }) - 1;
        states[state].targets.set(codePoint, target);
      }
      state = target;
    }
    states[state].accepting = true;
  }
  return states.map(({ accepting, targets }) => ({
    accepting,
    edges: [...targets].map(([codePoint, target]) => ({ set: [codePoint, codePoint], target })),
  }));
}

/** Leaves out the states from which no accepting one can be reached. */
export function withoutDeadEnds(states: Automaton): Automaton {
  const alive = new Set<number>();
  for (let size = -1; size !== alive.size; ) {
    size = alive.size;
    for (const [number, state] of states.entries()) {
      if (state.accepting || state.edges.some(({ target }) => alive.has(target))) alive.add(number);
    }
  }
  if (!alive.has(0)) return [];
  const renumbered = new Map([...alive].sort((a, b) => a - b).map((number, index) => [number, index]));
  return [...renumbered.keys()].map((number) => ({
    accepting: states[number].accepting,
    edges: states[number].edges.flatMap(({ set, target }) => {
      const renamed = renumbered.get(target);
      return renamed === undefined ? [] : [{ set, target: renamed }];
    }),
  }));
}
