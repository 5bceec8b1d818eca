import type { AddedToken } from '../tokenizer/added-token.ts';
import { splitAddedTokens } from '../tokenizer/split-added-tokens.ts';
import { CHAT_ROLES } from './chat-message.ts';
import { isKnownFilter } from './jinja/jinja-expressions.ts';
import { jinjaContext } from './jinja/jinja-globals.ts';
import type { JinjaScope } from './jinja/jinja-scope.ts';
import { JINJA_TESTS } from './jinja/jinja-tests.ts';
import { filterName, markTemplate, templateNodes } from './mark-template.ts';
import { withMarkedTexts } from './own-text.ts';
import { parseTemplate } from './syntax/parse-template.ts';
import type { TemplateNode } from './syntax/template-node.ts';
import { TemplateError } from './template-error.ts';
import { TemplateInterpreter } from './template-interpreter.ts';
import { addPrivateUse, TemplateMarkers } from './template-markers.ts';
import { templateVariables } from './template-variables.ts';
import { UnsupportedTemplateError } from './unsupported-template-error.ts';

/** A rendered conversation: its parts in order, and the text they make together. */
export interface RenderedTemplate {
  readonly text: string;
  readonly parts: readonly ({ readonly text: string; readonly atStart: boolean } | { readonly token: AddedToken })[];
}

export interface ChatTemplateOptions {
  /** Jinja source. */
  readonly source: string;
  /** `bos_token`, `eos_token` and the like. */
  readonly templateTokens: Readonly<Record<string, string>>;
  readonly controlTokens: readonly AddedToken[];
}

/** A template whose literals, and whose tokens, are marked as its own. */
interface MarkedTemplate {
  readonly program: TemplateNode;
  readonly markers: TemplateMarkers;
  readonly tokens: Readonly<Record<string, string>>;
}

/** A parsed chat template with Hugging Face's semantics; knows which of the text it wrote itself (see TemplateMarkers). */
export class ChatTemplate {
  /** Names that the template reads and a caller may set. */
  readonly variables: readonly string[];
  readonly #options: ChatTemplateOptions;
  readonly #joinable: ReadonlySet<string>;
  readonly #ownPrivateUse = new Set<string>();
  readonly #marked: MarkedTemplate;

  /** @throws UnsupportedTemplateError when the template does not parse or uses an unknown filter or test */
  constructor(options: ChatTemplateOptions) {
    this.#options = options;
    const program = parseKnown(options.source);
    this.variables = templateVariables(program, options.templateTokens);
    const literals = [...templateNodes(program)].filter((node) => node.type === 'StringLiteral');
    this.#joinable = new Set([...CHAT_ROLES, ...literals.map((node) => String(node.value))]);
    for (const text of [options.source, ...options.controlTokens.map((token) => token.content)]) {
      addPrivateUse(text, this.#ownPrivateUse);
    }
    this.#marked = this.#mark(this.#ownPrivateUse);
  }

  /**
   * @param variables data as JSON has it, with well-formed strings
   * @param privateUse the private-use characters that occur in the variables
   * @param cut takes what was written, and gives the part of it that is the prompt
   * @throws TemplateError when the template refuses the variables
   */
  render(
    variables: Readonly<Record<string, unknown>>,
    privateUse: ReadonlySet<string>,
    now: Date,
    cut: (written: string) => string = (written) => written,
  ): RenderedTemplate {
    const clash = this.#marked.markers.clashesWith(privateUse);
    const marked = clash ? this.#mark(new Set([...privateUse, ...this.#ownPrivateUse])) : this.#marked;
    const { program, markers, tokens } = marked;
    const messages = withMarkedTexts(variables.messages, (text) => markers.mark(text));
    const context = jinjaContext({ ...variables, messages, ...tokens }, now);
    const written = cut(runTemplate(program, context));
    const parts = splitAddedTokens(written, markers.marked).map((part) =>
      'token' in part ? part : { text: markers.unmark(part.text), atStart: part.start === 0 },
    );
    return { text: markers.unmark(written), parts };
  }

  #mark(used: ReadonlySet<string>): MarkedTemplate {
    const markers = new TemplateMarkers(this.#options.controlTokens, this.#joinable, used);
    const program = parseKnown(this.#options.source);
    markTemplate(program, (literal) => markers.mark(literal));
    const { templateTokens } = this.#options;
    const tokens = Object.entries(templateTokens).map(([name, value]) => [name, markers.mark(value)] as const);
    return { program, markers, tokens: Object.fromEntries(tokens) };
  }
}

function parseKnown(source: string): TemplateNode {
  let program: TemplateNode;
  try {
    program = parseTemplate(source);
  } catch (error) {
    throw new UnsupportedTemplateError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  for (const node of templateNodes(program)) {
    if (node.type === 'FilterExpression' && !isKnownFilter(filterName(node))) {
      throw new UnsupportedTemplateError(`it uses the unknown filter "${filterName(node)}"`);
    }
    const callee = node.type === 'CallExpression' ? (node.callee as TemplateNode) : null;
    if (callee?.type === 'Identifier' && callee.value === 'lipsum') {
      throw new UnsupportedTemplateError('it calls lipsum(), which writes random text');
    }
    const test = node.type === 'TestExpression' ? String((node.test as { value: unknown }).value) : null;
    if (test !== null && !JINJA_TESTS.has(test)) {
      throw new UnsupportedTemplateError(`it uses the unknown test "${test}"`);
    }
  }
  return program;
}

function runTemplate(program: TemplateNode, context: JinjaScope): string {
  try {
    return new TemplateInterpreter().run(program, context);
  } catch (error) {
    if (error instanceof TemplateError) {
      throw error;
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new TemplateError(`messages: the model's chat template fails on the conversation: ${reason}`, {
      cause: error,
      param: 'messages',
    });
  }
}
