import { type GrammarPart, inSequence, oneOf } from './grammar-part.ts';

/** Alternatives within alternatives that begin alike are told apart so deep. */
const DEEPEST = 32;

/**
 * The alternatives, those that begin with the same part made one: `a | a "+" b` is `a ("" | "+" b)`. Without, a text is followed through `a` once for
 * each, and where levels of such rules call each other (as levels of precedence do) the ways double with each level.
 */
export function factored(parts: readonly GrammarPart[], deep = 0): GrammarPart {
  const alike = new Map<string, (readonly GrammarPart[])[]>();
  for (const [place, part] of parts.entries()) {
    const items = part.kind === 'sequence' ? part.parts : [part];
    const key = keyOf(items[0]) ?? `${place}`;
    const group = alike.get(key);
    if (group === undefined) alike.set(key, [items]);
    else group.push(items);
  }
  if (alike.size === parts.length || deep >= DEEPEST) return oneOf(parts);
  return oneOf([...alike.values()].map((group) => behindBeginning(group, deep)));
}

function behindBeginning(group: readonly (readonly GrammarPart[])[], deep: number): GrammarPart {
  const [first = []] = group;
  if (group.length === 1) return inSequence(first);
  let shared = 1;
  while (first.length > shared && group.every((items) => isSame(items[shared], first[shared]))) shared += 1;
  const rests = group.map((items) => inSequence(items.slice(shared)));
  return inSequence([...first.slice(0, shared), factored(rests, deep + 1)]);
}

function isSame(a: GrammarPart | undefined, b: GrammarPart): boolean {
  const key = keyOf(b);
  return key !== null && keyOf(a) === key;
}

/** The same for parts that are the same; null for those of which that is not known. */
function keyOf(part: GrammarPart | undefined): string | null {
  switch (part?.kind) {
    case 'rule':
      return `rule ${part.name}`;
    case 'language':
      return `language ${part.language.id}`;
    case 'text':
      return `text ${part.text}`;
    default:
      return null;
  }
}
