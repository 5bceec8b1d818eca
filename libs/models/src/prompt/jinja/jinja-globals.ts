import { strftime } from '../strftime.ts';
import { TemplateError } from '../template-error.ts';
import { argumentOf, countArgument } from './jinja-arguments.ts';
import { JinjaScope } from './jinja-scope.ts';
import { textOf } from './jinja-text.ts';
import { cycler, joiner } from './jinja-turns.ts';
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

/** Literals to Jinja's parser and names to ours; no variable hides them. */
const CONSTANTS: ReadonlyMap<string, JinjaValue> = new Map<string, JinjaValue>([
  ['true', true],
  ['false', false],
  ['none', null],
  ['True', true],
  ['False', false],
  ['None', null],
]);

/** Jinja's and Hugging Face's functions that are the same in every rendering. */
const FUNCTIONS: Readonly<Record<string, (given: JinjaArguments) => JinjaValue>> = {
  raise_exception: (given) => {
    const message = textOf(argumentOf(given, 0, 'message'));
    throw new TemplateError(`messages: the model's chat template refuses the conversation: ${message}`, {
      param: 'messages',
    });
  },
  range: boundedRange,
  namespace: (given) => new JinjaNamespace(entriesOf(given)),
  dict: (given) => new Map(entriesOf(given)),
  cycler,
  joiner,
};

const CLOCK = 'strftime_now';

/** Names that templates call. A variable of the same name hides the function, as in Jinja. */
export const JINJA_FUNCTIONS: ReadonlySet<string> = new Set([...Object.keys(FUNCTIONS), CLOCK]);

/** Shared by all renderings: blocks set names in scopes of their own, and no template changes one of these. */
const GLOBALS = new JinjaScope();
for (const [name, value] of CONSTANTS) GLOBALS.set(name, value);
for (const [name, call] of Object.entries(FUNCTIONS)) GLOBALS.set(name, new JinjaFunction(name, call));

/** The names that a template can see: the given variables, and behind them Jinja's and Hugging Face's globals. */
export function jinjaContext(variables: Readonly<Record<string, unknown>>, now: Date): JinjaScope {
  const context = new JinjaScope(GLOBALS);
  context.set(CLOCK, new JinjaFunction(CLOCK, (given) => strftime(now, textOf(argumentOf(given, 0, 'format')))));
  for (const [name, value] of Object.entries(variables)) {
    if (!CONSTANTS.has(name)) context.set(name, jinjaValueOf(value));
  }
  return context;
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
