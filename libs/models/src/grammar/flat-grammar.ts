import { type ByteEdge, type GrammarNode, RETURN } from './grammar-node.ts';

/** Numbers of kinds of nodes as they are written. */
const KINDS = ['bytes', 'split', 'call', 'repeat', 'loop', 'counted', 'tick', 'shallow', 'return'] as const;
/** No bound. */
const ENDLESS = -1;

/**
 * A grammar as numbers in memory that threads share, so that one thread can make what another runs. For each node its kind, and how many numbers follow;
 * then these, other nodes by their place in the order. The first node is the grammar's start.
 */
export function flatGrammar(start: GrammarNode): Int32Array {
  const places = new Map<GrammarNode, number>([[start, 0]]);
  const placeOf = (node: GrammarNode): number => {
    const known = places.get(node);
    if (known !== undefined) return known;
    places.set(node, places.size);
    return places.size - 1;
  };
  const numbers: number[] = [];
  // A Map gives those that are added meanwhile, too.
  for (const node of places.keys()) {
    const values = valuesOf(node, placeOf);
    numbers.push(KINDS.indexOf(node.kind), values.length);
    for (const value of values) numbers.push(value);
  }
  const flat = new Int32Array(new SharedArrayBuffer(numbers.length * Int32Array.BYTES_PER_ELEMENT));
  flat.set(numbers);
  return flat;
}

/** The grammar that `flatGrammar` wrote. */
export function grammarOfFlat(flat: Int32Array): GrammarNode {
  const nodes: GrammarNode[] = [];
  for (let at = 0; at < flat.length; at += 2 + flat[at + 1]) nodes.push(emptyNode(KINDS[flat[at]]));
  let place = 0;
  for (let at = 0; at < flat.length; at += 2 + flat[at + 1]) {
    fill(nodes[place], flat.subarray(at + 2, at + 2 + flat[at + 1]), nodes);
    place += 1;
  }
  return nodes[0];
}

function valuesOf(node: GrammarNode, placeOf: (node: GrammarNode) => number): number[] {
  switch (node.kind) {
    case 'bytes':
      return node.edges.flatMap(({ range: [low, high], target }) => [low, high, placeOf(target)]);
    case 'split':
      return node.targets.map(placeOf);
    case 'call':
      return [placeOf(node.rule), placeOf(node.next)];
    case 'repeat':
      return [placeOf(node.body), node.least, bound(node.most), placeOf(node.next)];
    case 'loop':
      return [placeOf(node.body), placeOf(node.next)];
    case 'counted':
      return [placeOf(node.body), node.most, bound(node.margin), placeOf(node.next)];
    case 'tick':
      return [bound(node.needed), placeOf(node.target)];
    case 'shallow':
      return [placeOf(node.target)];
    case 'return':
      return [];
  }
}

type Unfilled<Node> = { -readonly [Key in keyof Node]: Node[Key] };

/** Nodes refer to each other in circles, so all of them are made before any is filled. */
function emptyNode(kind: GrammarNode['kind']): GrammarNode {
  switch (kind) {
    case 'bytes':
      return { kind, edges: [] };
    case 'split':
      return { kind, targets: [] };
    case 'call':
      return { kind, rule: RETURN, next: RETURN };
    case 'repeat':
      return { kind, body: RETURN, least: 0, most: 0, next: RETURN };
    case 'loop':
      return { kind, body: RETURN, next: RETURN };
    case 'counted':
      return { kind, body: RETURN, most: 0, margin: 0, next: RETURN };
    case 'tick':
      return { kind, needed: 0, target: RETURN };
    case 'shallow':
      return { kind, target: RETURN };
    case 'return':
      return RETURN;
  }
}

function fill(node: Unfilled<GrammarNode>, values: Int32Array, nodes: readonly GrammarNode[]): void {
  const [first, second, third, fourth] = values;
  switch (node.kind) {
    case 'bytes': {
      const edges: ByteEdge[] = [];
      for (let i = 0; i < values.length; i += 3)
        edges.push({ range: [values[i], values[i + 1]], target: nodes[values[i + 2]] });
      node.edges = edges;
      break;
    }
    case 'split':
      for (const target of values) node.targets.push(nodes[target]);
      break;
    case 'call':
      node.rule = nodes[first];
      node.next = nodes[second];
      break;
    case 'repeat':
      node.body = nodes[first];
      node.least = second;
      node.most = unbound(third);
      node.next = nodes[fourth];
      break;
    case 'loop':
      node.body = nodes[first];
      node.next = nodes[second];
      break;
    case 'counted':
      node.body = nodes[first];
      node.most = second;
      node.margin = unbound(third);
      node.next = nodes[fourth];
      break;
    case 'tick':
      node.needed = unbound(first);
      node.target = nodes[second];
      break;
    case 'shallow':
      node.target = nodes[first];
      break;
    case 'return':
      break;
  }
}

const bound = (value: number): number => (value === Number.POSITIVE_INFINITY ? ENDLESS : value);
const unbound = (value: number): number => (value === ENDLESS ? Number.POSITIVE_INFINITY : value);
