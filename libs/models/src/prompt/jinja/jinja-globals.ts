import { strftime } from '../strftime.ts';
import { TemplateError } from '../template-error.ts';
import { argumentOf, countArgument } from './jinja-arguments.ts';
import { JinjaScope } from './jinja-scope.ts';
import { textOf } from './jinja-text.ts';
import {
  isDict,
  itemsOf,
  type JinjaArguments,
  JinjaFunction,
  JinjaNamespace,
  type JinjaValue,
  jinjaValueOf,
} from './jinja-value.ts';

const MAX_RANGE = 100_000;

/** The names that a template can see: Jinja's and Hugging Face's globals and the given variables, nothing else. */
export function jinjaGlobals(variables: Readonly<Record<string, unknown>>, now: Date): JinjaScope {
  const scope = new JinjaScope();
  for (const [name, value] of Object.entries(variables)) scope.set(name, jinjaValueOf(value));
  const constants = { true: true, false: false, none: null, True: true, False: false, None: null };
  for (const [name, value] of Object.entries(constants)) scope.set(name, value);
  const functions: Record<string, (given: JinjaArguments) => JinjaValue> = {
    raise_exception: (given) => {
      const message = textOf(argumentOf(given, 0, 'message'));
      throw new TemplateError(`messages: the model's chat template refuses the conversation: ${message}`, {
        param: 'messages',
      });
    },
    range: boundedRange,
    namespace: (given) => new JinjaNamespace(entriesOf(given)),
    dict: (given) => new Map(entriesOf(given)),
    strftime_now: (given) => strftime(now, textOf(argumentOf(given, 0, 'format'))),
  };
  for (const [name, call] of Object.entries(functions)) scope.set(name, new JinjaFunction(name, call));
  return scope;
}

/** The entries of a mapping or of a list of pairs, and the named arguments. */
function entriesOf({ positional, named }: JinjaArguments): [string, JinjaValue][] {
  const [first] = positional;
  const pairs = isDict(first) ? [...first] : itemsOf(first).map((pair) => itemsOf(pair));
  return [...pairs.map(([key, value]): [string, JinjaValue] => [String(key), value]), ...named];
}

function boundedRange(given: JinjaArguments): JinjaValue {
  const first = countArgument(given, 0, 'start', 0);
  const [start, end] = given.positional.length < 2 ? [0, first] : [first, countArgument(given, 1, 'stop', 0)];
  const step = countArgument(given, 2, 'step', 1);
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (!Number.isInteger(length) || length > MAX_RANGE) {
    throw new TemplateError(
      `messages: the chat template asks for range(${start}, ${end}, ${step}), which is not allowed`,
    );
  }
  return Array.from({ length }, (_, index) => start + index * step);
}
