import { argumentOf } from './jinja-arguments.ts';
import { type JinjaArguments, JinjaFunction, JinjaNamespace, JinjaTuple, type JinjaValue } from './jinja-value.ts';

/** `cycler(…)`: gives its items one after the other, from the start again behind the last. @throws Error without items */
export function cycler({ positional: items }: JinjaArguments): JinjaNamespace {
  if (items.length === 0) throw new Error('cycler() needs at least one item');
  const turns = new JinjaNamespace();
  const moveTo = (position: number): void => {
    turns.fields.set('pos', position).set('current', items[position]);
  };
  const next = (): JinjaValue => {
    const { fields } = turns;
    const [position, current] = [Number(fields.get('pos')), fields.get('current')];
    moveTo((position + 1) % items.length);
    return current;
  };
  const reset = (): JinjaValue => {
    moveTo(0);
    return null;
  };
  turns.fields.set('items', new JinjaTuple(items));
  turns.fields.set('next', new JinjaFunction('next', next)).set('reset', new JinjaFunction('reset', reset));
  moveTo(0);
  return turns;
}

/** `joiner(sep=', ')`: a function that gives nothing the first time, and the separator from then on. */
export function joiner(given: JinjaArguments): JinjaFunction {
  const separator = argumentOf(given, 0, 'sep', ', ');
  let used = false;
  return new JinjaFunction('joiner', () => {
    const text = used ? separator : '';
    used = true;
    return text;
  });
}
