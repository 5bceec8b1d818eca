import { filterName } from './mark-template.ts';
import { filterArguments, SELECT_FILTERS, selectItems } from './select-filter.ts';
import { strftime } from './strftime.ts';
import { TemplateError } from './template-error.ts';
import { Environment, Interpreter, type TemplateEnvironment, type TemplateNode } from './template-library.ts';

/** Far above what a conversation of thousands of messages takes, and some seconds at most. */
const MAX_EVALUATIONS = 2_000_000;
const MAX_RANGE = 100_000;

/**
 * Runs a template with a limit on the work, counted in evaluated nodes and loop items, so that no template or
 * conversation can hold the process for long.
 */
export class TemplateInterpreter extends Interpreter {
  #evaluations = 0;
  readonly #loopIterables = new Set<unknown>();

  override evaluate(statement: TemplateNode | undefined, environment: TemplateEnvironment): unknown {
    this.#count(1);
    if (statement?.type === 'For') {
      this.#loopIterables.add(statement.iterable).add((statement.iterable as TemplateNode).lhs ?? statement.iterable);
    }
    const result = this.#selected(statement, environment) ?? super.evaluate(statement, environment);
    if (this.#loopIterables.has(statement)) {
      this.#count(itemsOf(result)); // the library prepares all items before it runs the loop's body
    }
    return result;
  }

  /** The value of a filter that the library lacks, undefined for all other nodes. */
  #selected(node: TemplateNode | undefined, environment: TemplateEnvironment): unknown {
    if (node?.type !== 'FilterExpression' || !SELECT_FILTERS.has(filterName(node))) {
      return undefined;
    }
    const operand = this.evaluate(node.operand as TemplateNode, environment);
    const args = filterArguments(node).map((argument) => this.evaluate(argument, environment));
    this.#count(itemsOf(operand));
    return selectItems(filterName(node), operand, args, environment);
  }

  #count(evaluations: number): void {
    this.#evaluations += evaluations;
    if (this.#evaluations > MAX_EVALUATIONS) {
      throw new TemplateError(
        `messages: the chat template takes more than ${MAX_EVALUATIONS} evaluations. Remedy: send fewer messages.`,
        { param: 'messages' },
      );
    }
  }
}

function itemsOf(result: unknown): number {
  const value = typeof result === 'object' && result !== null && 'value' in result ? result.value : null;
  return Array.isArray(value) ? value.length : 0;
}

/**
 * The names a template can see: Hugging Face's globals and the given variables, nothing else. Values are copied into the
 * interpreter's own types, so a template has no way to a JavaScript prototype.
 */
export function templateEnvironment(variables: Readonly<Record<string, unknown>>, now: Date): TemplateEnvironment {
  const environment = new Environment();
  const globals: Record<string, unknown> = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    raise_exception: (message: unknown) => {
      throw new TemplateError(`messages: the model's chat template refuses the conversation: ${message}`, {
        param: 'messages',
      });
    },
    range: boundedRange,
    strftime_now: (format: unknown) => strftime(now, String(format)),
  };
  for (const [name, value] of Object.entries({ ...variables, ...globals })) {
    if (name !== 'namespace') {
      environment.set(name, value);
    }
  }
  return environment;
}

function boundedRange(first: number, stop?: number, step = 1): number[] {
  const [start, end] = stop === undefined || stop === null ? [0, first] : [first, stop];
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (!Number.isInteger(length) || length > MAX_RANGE) {
    throw new TemplateError(
      `messages: the chat template asks for range(${start}, ${end}, ${step}), which is not allowed`,
    );
  }
  return Array.from({ length }, (_, i) => start + i * step);
}
