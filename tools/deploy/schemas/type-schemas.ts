import ts from 'typescript';

type Schema = { [key: string]: unknown };

/** JSON schemas of the interfaces that a custom resource's declaration file holds; fields that they lack are refused. */
export class TypeSchemas {
  readonly definitions: Record<string, Schema> = {};

  /** @returns the definition's name of the interface `I<File>` in a declaration file. @throws Error when it has none */
  add(file: string): string {
    const program = ts.createProgram([file], {
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      strict: true,
    });
    const checker = program.getTypeChecker();
    const name = `I${file.replace(/^.*\//, '').replace('.d.ts', '')}`;
    const source = program.getSourceFile(file);
    const declaration = source?.statements.find(
      (statement): statement is ts.InterfaceDeclaration =>
        ts.isInterfaceDeclaration(statement) && statement.name.text === name,
    );
    if (declaration === undefined) throw new Error(`${file} declares no ${name}.`);
    const reference = this.#schemaOf(checker, checker.getTypeAtLocation(declaration)).$ref as string;
    return reference.replace('#/definitions/', '');
  }

  #schemaOf(checker: ts.TypeChecker, type: ts.Type): Schema {
    if (type.isUnion()) return unionSchema(type.types.map((each) => this.#schemaOf(checker, each)));
    if (type.isStringLiteral()) return { enum: [type.value] };
    if (type.flags & ts.TypeFlags.BooleanLiteral) return { type: 'boolean' };
    if (type.flags & ts.TypeFlags.String) return { type: 'string' };
    if (type.flags & ts.TypeFlags.Number) return { type: 'number' };
    if (type.flags & ts.TypeFlags.Boolean) return { type: 'boolean' };
    if (checker.isArrayType(type)) {
      const [item] = checker.getTypeArguments(type as ts.TypeReference);
      return { type: 'array', items: item === undefined ? {} : this.#schemaOf(checker, item) };
    }
    const values = type.getStringIndexType();
    if (values !== undefined) return { type: 'object', additionalProperties: this.#schemaOf(checker, values) };
    const properties = type.getProperties();
    // `any` and `object`: whatever fits.
    if (properties.length === 0) return {};
    return this.#objectSchema(checker, type, properties);
  }

  #objectSchema(checker: ts.TypeChecker, type: ts.Type, properties: readonly ts.Symbol[]): Schema {
    const file = type.symbol.declarations?.[0]?.getSourceFile().fileName ?? '';
    const name = `${file.replace(/^.*node_modules\/(.*)\.d\.ts$/, '$1').replaceAll(/[^\w.]/g, '-')}.${type.symbol.name}`;
    const isNamed = type.symbol.name !== '__type';
    if (isNamed && name in this.definitions) return { $ref: `#/definitions/${name}` };
    const schema: Schema = { type: 'object', additionalProperties: false };
    if (isNamed) this.definitions[name] = schema;
    const required = properties
      .filter((property) => !(property.flags & ts.SymbolFlags.Optional))
      .map(({ name: key }) => key);
    schema.properties = Object.fromEntries(
      properties.map((property) => [
        property.name,
        this.#schemaOf(checker, checker.getNonNullableType(checker.getTypeOfSymbol(property))),
      ]),
    );
    if (required.length > 0) schema.required = required;
    return isNamed ? { $ref: `#/definitions/${name}` } : schema;
  }
}

function unionSchema(parts: readonly Schema[]): Schema {
  const unique = [...new Map(parts.map((part) => [JSON.stringify(part), part])).values()];
  if (unique.length === 1) return unique[0] ?? {};
  if (unique.every((part) => 'enum' in part)) return { enum: unique.flatMap((part) => part.enum as unknown[]) };
  return { anyOf: unique };
}
