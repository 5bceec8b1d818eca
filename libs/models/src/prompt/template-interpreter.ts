import { JinjaExpressions } from './jinja/jinja-expressions.ts';
import { type LoopSurroundings, loopAt } from './jinja/jinja-loop.ts';
import { JinjaScope } from './jinja/jinja-scope.ts';
import { textOf } from './jinja/jinja-text.ts';
import {
  isList,
  isTrue,
  itemsOf,
  type JinjaArguments,
  JinjaFunction,
  JinjaNamespace,
  JinjaTuple,
  type JinjaValue,
} from './jinja/jinja-value.ts';
import { templateNodes } from './mark-template.ts';
import type { TemplateNode } from './syntax/template-node.ts';

/** Whether the bodies of loops read `loop`: templates are not changed once they are parsed, so one look is enough. */
const loopReaders = new WeakMap<TemplateNode, boolean>();

/** How deep a recursive loop goes: below what a thread's stack holds. */
const MAX_DEPTH = 100;

/** `{% break %}` and `{% continue %}` on their way to their loop, with what was written before them. */
class LoopControl extends Error {
  readonly kind: 'Break' | 'Continue';
  written = '';

  constructor(kind: 'Break' | 'Continue') {
    super(`${kind} outside of a loop`);
    this.kind = kind;
  }
}

/**
 * Renders a parsed template with the semantics of Jinja 3 and of Python, as `apply_chat_template` of transformers does: what
 * values look like when they are written, what methods they have, what a block sees. The library that parses
 * templates also runs them, but by JavaScript's rules.
 */
export class TemplateInterpreter extends JinjaExpressions {
  /** The text that a template writes. @throws Error, TemplateError as the template does */
  run(program: TemplateNode, context: JinjaScope): string {
    return this.#write(program.body, new JinjaScope(context));
  }

  protected written(statements: unknown, scope: JinjaScope): string {
    return this.#write(statements, new JinjaScope(scope));
  }

  #write(statements: unknown, scope: JinjaScope): string {
    let text = '';
    for (const statement of statements as TemplateNode[]) {
      try {
        text += this.#statement(statement, scope);
      } catch (error) {
        if (error instanceof LoopControl) error.written = text + error.written;
        throw error;
      }
    }
    return text;
  }

  #statement(node: TemplateNode, scope: JinjaScope): string {
    switch (node.type) {
      case 'If': {
        const holds = isTrue(this.evaluate(node.test as TemplateNode, scope));
        return this.#write(holds ? node.body : node.alternate, scope);
      }
      case 'For':
        return this.#loop(node, scope, this.evaluate(node.iterable as TemplateNode, scope), 1);
      case 'Set':
        this.#set(node, scope);
        return '';
      case 'Macro':
        scope.set(nameOf(node.name), this.#macro(nameOf(node.name), node.args as TemplateNode[], node.body, scope));
        return '';
      case 'CallStatement': {
        const call = node.call as TemplateNode;
        const caller = this.#macro('caller', node.callerArgs as TemplateNode[], node.body, scope);
        const { positional, named } = this.arguments(call.args as TemplateNode[], scope);
        const given = { positional, named: new Map([...named, ['caller', caller]]) };
        return textOf(this.called(this.evaluate(call.callee as TemplateNode, scope), given));
      }
      case 'With':
        return this.#with(node, scope);
      case 'Break':
      case 'Continue':
        throw new LoopControl(node.type);
      default:
        return textOf(this.evaluate(node, scope));
    }
  }

  #set(node: TemplateNode, scope: JinjaScope): void {
    const value = this.evaluate(node.value as TemplateNode, scope);
    const target = node.assignee as TemplateNode;
    if (target.type !== 'MemberExpression') {
      assign(target, value, scope);
      return;
    }
    const object = this.evaluate(target.object as TemplateNode, scope);
    if (!(object instanceof JinjaNamespace)) throw new Error('cannot assign attribute on non-namespace object');
    object.fields.set(nameOf(target.property), value);
  }

  /** All values are those of the names outside. */
  #with(node: TemplateNode, scope: JinjaScope): string {
    const inner = new JinjaScope(scope);
    const values = (node.values as TemplateNode[]).map((value) => this.evaluate(value, scope));
    for (const [index, target] of (node.targets as TemplateNode[]).entries()) assign(target, values[index], inner);
    return this.#write(node.body, inner);
  }

  /** Every item gets a scope of its own, so that nothing which the body sets reaches the next one. */
  #loop(node: TemplateNode, scope: JinjaScope, iterable: JinjaValue, depth: number): string {
    const all = itemsOf(iterable);
    this.count(all.length);
    const target = node.loopvar as TemplateNode;
    const items = all.filter((item) => {
      if (node.test === null) return true;
      const inner = new JinjaScope(scope);
      assign(target, item, inner);
      return isTrue(this.evaluate(node.test as TemplateNode, inner));
    });
    if (items.length === 0) return this.#write(node.defaultBlock, new JinjaScope(scope));
    const again = ({ positional: [inner] }: JinjaArguments): string => {
      if (depth === MAX_DEPTH) throw new Error(`a loop calls itself more than ${MAX_DEPTH} times`);
      return this.#loop(node, scope, inner, depth + 1);
    };
    const around: LoopSurroundings = { items, changes: [], depth, again: node.isRecursive === true ? again : null };
    const readsLoop = this.#readsLoop(node);
    let text = '';
    for (const [index, item] of items.entries()) {
      const inner = new JinjaScope(scope);
      assign(target, item, inner);
      if (readsLoop) inner.set('loop', loopAt(around, index));
      try {
        text += this.#write(node.body, inner);
      } catch (error) {
        if (!(error instanceof LoopControl)) throw error;
        text += error.written;
        if (error.kind === 'Break') break;
      }
    }
    return text;
  }

  /** Whether a loop's body reads `loop`, which costs more to make than most bodies to run. */
  #readsLoop(node: TemplateNode): boolean {
    let reads = loopReaders.get(node);
    if (reads === undefined) {
      reads = [...templateNodes(node.body)].some(({ type, value }) => type === 'Identifier' && value === 'loop');
      loopReaders.set(node, reads);
    }
    return reads;
  }

  #macro(name: string, parameters: readonly TemplateNode[], body: unknown, scope: JinjaScope): JinjaFunction {
    return new JinjaFunction(name, (given: JinjaArguments) => {
      const inner = new JinjaScope(scope);
      const named = new Map(given.named);
      const defaults: (readonly [string, TemplateNode])[] = [];
      for (const [index, parameter] of parameters.entries()) {
        const isOptional = parameter.type === 'KeywordArgumentExpression';
        const key = nameOf(isOptional ? parameter.key : parameter);
        const isGiven = index < given.positional.length || named.has(key);
        inner.set(key, index < given.positional.length ? given.positional[index] : named.get(key));
        named.delete(key);
        if (!isGiven && isOptional) defaults.push([key, parameter.value as TemplateNode]);
      }
      inner.set('caller', named.get('caller'));
      named.delete('caller');
      inner.set('varargs', new JinjaTuple(given.positional.slice(parameters.length)));
      inner.set('kwargs', named);
      for (const [key, value] of defaults) inner.set(key, this.evaluate(value, inner));
      return this.#write(body, inner);
    });
  }
}

/** Gives a value to a name, or its items to a tuple of names. */
function assign(target: TemplateNode, value: JinjaValue, scope: JinjaScope): void {
  if (target.type === 'Identifier') {
    scope.set(nameOf(target), value);
    return;
  }
  if (target.type !== 'TupleLiteral') throw new Error(`cannot assign to ${target.type}`);
  const names = target.value as TemplateNode[];
  const items = isList(value) ? value : itemsOf(value);
  if (items.length !== names.length) throw new Error(`${names.length} values are needed, not ${items.length}`);
  for (const [index, name] of names.entries()) assign(name, items[index], scope);
}

function nameOf(node: unknown): string {
  return String((node as TemplateNode).value);
}
