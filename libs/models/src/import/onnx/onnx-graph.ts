/** ONNX's TensorProto.DataType of what is written here. */
export const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10, bfloat16: 16 } as const;
export type ElementType = keyof typeof ELEMENT;
export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  int32: 4,
  int64: 8,
  float16: 2,
  bfloat16: 2,
};

/** What a graph computes in. */
export type FloatType = 'float32' | 'float16';

export const CONTRIB = 'com.microsoft';

export interface GraphValue {
  readonly name: string;
  readonly type: ElementType;
  readonly dimensions: readonly (number | string)[];
}

export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly dimensions: readonly number[];
}

/** Initializers that are made together; each round of `chunks` gives the next bytes of every one. */
export interface InitializerGroup {
  readonly initializers: readonly Initializer[];
  chunks(): AsyncIterable<readonly Uint8Array[]>;
}

export interface GraphNode {
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Numbers under a name of FLOAT_ATTRIBUTES are floats, all others integers. */
  readonly attributes: Readonly<Record<string, number | string | Branch>>;
}

/** One way of an `If`: nodes that see the values of the graph around them, and the float32 value that they make. */
export interface Branch {
  readonly nodes: readonly GraphNode[];
  readonly output: string;
}

export const FLOAT_ATTRIBUTES: ReadonlySet<string> = new Set(['epsilon', 'scale', 'alpha']);

/** Collects an ONNX graph. Its weights are made only when it is saved, a chunk at a time. */
export class OnnxGraph {
  readonly name: string;
  readonly floatType: FloatType;
  readonly inputs: GraphValue[] = [];
  readonly outputs: GraphValue[] = [];
  readonly nodes: GraphNode[] = [];
  readonly groups: InitializerGroup[] = [];
  readonly #known = new Set<string>();
  /** Initializers, and what nodes make of nothing else. */
  readonly #constants = new Set<string>();
  /** Nodes so far, those within branches included: it makes names unique. */
  #appended = 0;

  constructor(name: string, floatType: FloatType = 'float32') {
    this.name = name;
    this.floatType = floatType;
  }

  input(name: string, type: ElementType, dimensions: readonly (number | string)[]): string {
    this.inputs.push({ name, type, dimensions });
    return name;
  }

  output(name: string, type: ElementType, dimensions: readonly (number | string)[]): void {
    this.outputs.push({ name, type, dimensions });
  }

  has(name: string): boolean {
    return this.#known.has(name);
  }

  /** Adds initializers that are streamed when the graph is saved. */
  weights(group: InitializerGroup): void {
    for (const { name } of group.initializers) {
      this.#known.add(name);
      this.#constants.add(name);
    }
    this.groups.push(group);
  }

  /** Adds a small initializer once; asking again with the same name returns it. */
  constant(name: string, type: ElementType, dimensions: readonly number[], values: ArrayBufferView): string {
    if (this.#known.has(name)) return name;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.weights({
      initializers: [{ name, type, dimensions }],
      async *chunks() {
        yield [bytes];
      },
    });
    return name;
  }

  /** Adds a small initializer in the type that the graph computes in, once. */
  floats(name: string, dimensions: readonly number[], values: Float32Array): string {
    const typed = this.floatType === 'float32' ? values : Float16Array.from(values);
    return this.constant(name, this.floatType, dimensions, typed);
  }

  int64(name: string, values: readonly number[], scalar = false): string {
    return this.constant(name, 'int64', scalar ? [] : [values.length], BigInt64Array.from(values.map(BigInt)));
  }

  /** Appends a node with one output, whose name is made or given. Returns it. */
  node(operator: string, inputs: readonly string[], attributes: GraphNode['attributes'] = {}, output?: string): string {
    const name = output ?? `${operator}_${this.#appended + 1}`;
    this.append(operator, '', inputs, [name], attributes);
    return name;
  }

  /** The same for ONNX Runtime's own operators. */
  contrib(operator: string, inputs: readonly string[], attributes: GraphNode['attributes'], output?: string): string {
    const name = output ?? `${operator}_${this.#appended + 1}`;
    this.append(operator, CONTRIB, inputs, [name], attributes);
    return name;
  }

  append(
    operator: string,
    domain: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: GraphNode['attributes'],
  ): void {
    const isConstant = inputs.length > 0 && inputs.every((input) => this.#constants.has(input));
    for (const output of outputs) {
      this.#known.add(output);
      if (isConstant) this.#constants.add(output);
    }
    this.#appended += 1;
    this.nodes.push({ operator, domain, inputs, outputs, attributes });
  }

  /** A value that is made in one of two ways, chosen in each run by a bool. */
  either(condition: string, whenTrue: () => string, otherwise: () => string): string {
    return this.node('If', [condition], {
      then_branch: this.#branch(whenTrue),
      else_branch: this.#branch(otherwise),
    });
  }

  /** Nodes that read only constants stay outside, where they are folded once and for both ways. */
  #branch(build: () => string): Branch {
    const begin = this.nodes.length;
    const output = build();
    const nodes: GraphNode[] = [];
    for (const node of this.nodes.splice(begin)) {
      if (node.outputs.every((name) => this.#constants.has(name))) {
        this.nodes.push(node);
        continue;
      }
      nodes.push(node);
      for (const name of node.outputs) this.#known.delete(name); // nothing outside can read it
    }
    return { nodes, output };
  }
}
