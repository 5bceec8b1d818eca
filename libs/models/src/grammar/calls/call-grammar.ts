import type { OutputConstraint } from '#contracts';
import { OUTPUT_FORMATS } from '../../output-formats/choose-format.ts';
import type { OutputFormat } from '../../output-formats/output-format.ts';
import type { GrammarNode } from '../grammar-node.ts';
import { GrammarParts } from '../grammar-parts.ts';
import { choice, type Expression, optional, sequence, text } from '../grammar-rules.ts';
import { knownOrMade } from '../known-or-made.ts';
import { refusal } from '../schema-checks.ts';
import { SchemaGrammar } from '../schema-grammar.ts';
import type { SchemaPath } from '../schema-refused-error.ts';
import { JSON_SPELLING } from '../spelling.ts';
import type { CallList, CallShape, CallStyle } from './call-style.ts';
import { CALL_STYLES } from './call-styles.ts';
import { CustomArguments, type CustomInput } from './custom-arguments.ts';
import { contentText, reasoningBlock, textWithout } from './free-text.ts';
import { looseText } from './loose-text.ts';
import { schemaArguments } from './schema-arguments.ts';

type CallConstraint = Extract<OutputConstraint, { type: 'tool_calls' }>;
type Tool = CallConstraint['tools'][number];

/** Names that every format can write and read. */
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,64}$/;

/** Where the schema of an answer without calls stands in a request. */
const CONTENT_PATH: SchemaPath = ['response_format', 'json_schema', 'schema'];

/** Marks of gpt-oss's messages: no text holds one. */
const MESSAGE_MARKS = ['<|start|>', '<|channel|>', '<|message|>', '<|end|>', '<|return|>', '<|call|>'];
const NEXT_MESSAGE = '<|end|><|start|>assistant';

/**
 * The grammar of answers that are tool calls as an output format writes them, or, where calls are free, text and then
 * calls. Every such answer is read by that format's parser to calls whose arguments are valid.
 * @throws SchemaRefusedError where a schema can not be enforced in that format
 */
export function callGrammar(constraint: CallConstraint): GrammarNode {
  return new CallGrammar(constraint).compile();
}

class CallGrammar {
  readonly #constraint: CallConstraint;
  readonly #format: OutputFormat;
  readonly #style: CallStyle;
  readonly #parts: GrammarParts;
  readonly #tools: readonly Tool[];
  readonly #custom = new Map<Tool, CustomArguments>();

  constructor(constraint: CallConstraint) {
    const { format: name, choice: chosen } = constraint;
    const format = OUTPUT_FORMATS.get(name);
    const style = Object.hasOwn(CALL_STYLES, name) ? CALL_STYLES[name] : undefined;
    if (format === undefined || style === undefined) {
      throw refusal(
        [],
        `calls in the format "${name}" can not be enforced; send tool_choice "none".`,
        'unsupported_parameter',
      );
    }
    this.#constraint = constraint;
    this.#format = format;
    this.#style = style;
    this.#parts = new GrammarParts(style.spelling);
    this.#tools =
      typeof chosen === 'object' ? constraint.tools.filter((tool) => tool.name === chosen.name) : constraint.tools;
    if (this.#tools.length === 0) throw refusal(['tool_choice'], 'it names none of the tools.');
  }

  compile(): GrammarNode {
    return this.#parts.rules.compile(this.#parts.rules.add(this.#root()));
  }

  #root(): Expression {
    const { lists } = this.#style;
    const parts = this.#parts;
    const marked = lists.filter(({ bare }) => bare !== true).map((list) => this.#list(list));
    const bare = lists.filter((list) => list.bare === true).map((list) => this.#list(list));
    const isFree = this.#constraint.choice === 'auto';
    const calls = choice(...marked, ...bare);
    const document = isFree ? this.#document() : null;
    if (this.#format.name === 'gpt-oss') return this.#messages(calls, isFree, document);
    if (this.#format.name === 'functionary-v3.2') return this.#recipients(calls, isFree, document);
    if (!isFree) return sequence(this.#reasoning(), calls);
    if (document !== null) return sequence(this.#reasoning(), choice(document, calls));
    const marks = lists.map(({ mark }) => mark);
    const content = contentText(parts, this.#format, marks, this.#constraint.reasoning !== undefined);
    return sequence(this.#reasoning(), choice(sequence(content, optional(choice(...marked))), ...bare));
  }

  #reasoning(): Expression {
    const { reasoning } = this.#constraint;
    if (reasoning === undefined) return text('');
    return reasoningBlock(this.#parts, OUTPUT_FORMATS.get(reasoning.format) ?? this.#format, reasoning.start);
  }

  /**
   * The JSON that an answer without calls is; null where that is any text. None of its strings holds what would be read as the
   * beginning of a call, or left out.
   */
  #document(): Expression | null {
    const { content } = this.#constraint;
    if (content === undefined) return null;
    const { openings, dropped = [], bareStarts = '' } = this.#format;
    if (bareStarts !== '' && (content.type !== 'object' || bareStarts.includes('{'))) {
      throw refusal(
        ['response_format'],
        'it can not be told from a call as this model writes calls; set tool_choice to "none" or "required".',
        'unsupported_parameter',
      );
    }
    const marks = [...openings, ...dropped, ...this.#style.lists.map(({ mark }) => mark)];
    const messageMarks = this.#format.readOutput === undefined ? [] : MESSAGE_MARKS;
    const forbidden = [...new Set([...marks, ...messageMarks])].filter((mark) => mark !== '');
    const parts = new GrammarParts({ ...JSON_SPELLING, forbidden }, this.#parts.rules);
    return new SchemaGrammar(parts, content, CONTENT_PATH).document();
  }

  /** gpt-oss: any messages of reasoning or, where calls are free, comments; then a call or the final answer. */
  #messages(calls: Expression, isFree: boolean, document: Expression | null): Expression {
    const parts = this.#parts;
    const body = textWithout(parts, MESSAGE_MARKS);
    const message = (channel: string): Expression => sequence(text(`<|channel|>${channel}<|message|>`), body);
    const before = choice(message('analysis'), ...(isFree && document === null ? [message('commentary')] : []));
    const earlier = parts.rules.list(sequence(before, text(NEXT_MESSAGE)), text(''), 0, null);
    const final = document === null ? message('final') : sequence(text('<|channel|>final<|message|>'), document);
    return sequence(earlier, isFree ? choice(calls, final) : calls);
  }

  /** Functionary 3.2: the prompt ended with the mark before a recipient; `all` is content. */
  #recipients(calls: Expression, isFree: boolean, document: Expression | null): Expression {
    if (!isFree) return calls;
    if (document !== null) return choice(calls, sequence(text('all\n'), document));
    const content = sequence(text('all\n'), textWithout(this.#parts, ['>>>']));
    return choice(calls, sequence(content, optional(sequence(text('>>>'), calls))));
  }

  #list({ mark, open, call, separator, close }: CallList): Expression {
    const parts = this.#parts;
    const one = choice(...this.#tools.map((tool) => this.#call(tool, call)));
    const isSingle = !this.#constraint.parallel || this.#format.name === 'gpt-oss';
    const many = parts.rules.list(one, looseText(parts, separator), 1, isSingle ? 1 : null);
    const begin = this.#format.name === 'functionary-v3.2' ? '' : mark;
    return sequence(text(begin), looseText(parts, open), many, looseText(parts, close));
  }

  #call(tool: Tool, shape: CallShape): Expression {
    const parts = this.#parts;
    const { name } = tool;
    const path = ['tools', name, 'function'];
    if (!TOOL_NAME.test(name) || (name === 'all' && this.#format.name === 'functionary-v3.2')) {
      throw refusal([...path, 'name'], 'a call of this name can not be written.', 'unsupported_parameter');
    }
    if (tool.input !== undefined) return this.#around(name, shape, this.#customArguments(tool, tool.input).of(shape));
    const isFree = tool.parameters === null || (this.#constraint.choice === 'auto' && !tool.strict);
    const { type = 'object' } = tool.parameters ?? {};
    if (!isFree && ![type].flat().includes('object')) {
      throw refusal([...path, 'parameters', 'type'], 'the arguments of a call are an object; send "object".');
    }
    const schema = isFree ? { type: 'object' } : { ...tool.parameters, type: 'object' };
    const grammar = new SchemaGrammar(parts, schema, [...path, 'parameters']);
    return this.#around(name, shape, schemaArguments(parts, shape, grammar, isFree));
  }

  #customArguments(tool: Tool, input: CustomInput): CustomArguments {
    return knownOrMade(this.#custom, tool, () => new CustomArguments(this.#parts, tool.name, input));
  }

  /** A call with its arguments as they are written. */
  #around(name: string, shape: CallShape, given: Expression): Expression {
    const parts = this.#parts;
    switch (shape.kind) {
      case 'object': {
        const { name: nameKey, arguments: argumentsKey, before } = shape;
        return sequence(
          text('{'),
          before === undefined ? text('') : optional(looseText(parts, before)),
          looseText(parts, `"${nameKey}":␠"${name}",␠"${argumentsKey}":␠`),
          given,
          text('}'),
        );
      }
      case 'pythonic':
        return sequence(text(name), given);
      case 'named':
      case 'tagged':
        return sequence(looseText(parts, shape.head(name)), given, looseText(parts, shape.tail));
    }
  }
}

/** An expression behind the block of reasoning that may come before it. */
export function behindReasoning(
  parts: GrammarParts,
  reasoning: OutputConstraint['reasoning'],
  document: Expression,
  path: SchemaPath = [],
): Expression {
  if (reasoning === undefined) return document;
  const format = OUTPUT_FORMATS.get(reasoning.format);
  if (format === undefined) {
    throw refusal(path, `reasoning in the format "${reasoning.format}" is not known.`, 'unsupported_parameter');
  }
  return sequence(reasoningBlock(parts, format, reasoning.start), document);
}
