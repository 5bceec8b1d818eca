import { filterName } from '../mark-template.ts';
import type { TemplateNode } from '../syntax/template-node.ts';
import { TemplateError } from '../template-error.ts';
import { NO_ARGUMENTS } from './jinja-arguments.ts';
import { JINJA_FILTERS, type JinjaFilter } from './jinja-filters.ts';
import { mapped } from './jinja-list-filters.ts';
import { added, isMarkup, JinjaMarkup, plainOf } from './jinja-markup.ts';
import { attributeOf, memberOf, sliceOf } from './jinja-members.ts';
import { operate } from './jinja-operators.ts';
import type { JinjaScope } from './jinja-scope.ts';
import { JINJA_TESTS } from './jinja-tests.ts';
import { textOf } from './jinja-text.ts';
import {
  isDict,
  isTrue,
  itemsOf,
  type JinjaArguments,
  JinjaCallable,
  JinjaFloat,
  JinjaFunction,
  JinjaTuple,
  type JinjaValue,
  numberOf,
  typeName,
} from './jinja-value.ts';

/** Far above what a conversation of thousands of messages takes, and some seconds at most. */
const MAX_EVALUATIONS = 4_000_000;

/** Filters whose work does not grow with their list. */
const QUICK_FILTERS = new Set(['length', 'count', 'first', 'last', 'default', 'd']);

/** Evaluates the expressions of one rendering, with a limit on the work, so that no template can hold the process for long. */
export abstract class JinjaExpressions {
  #evaluations = 0;

  evaluate(node: TemplateNode, scope: JinjaScope): JinjaValue {
    this.count(1);
    switch (node.type) {
      case 'StringLiteral':
      case 'IntegerLiteral':
        return node.value as string | number;
      case 'FloatLiteral':
        return new JinjaFloat(node.value as number);
      case 'ArrayLiteral':
        return this.#all(node.value, scope);
      case 'TupleLiteral':
        return new JinjaTuple(this.#all(node.value, scope));
      case 'ObjectLiteral':
        return new Map(
          [...(node.value as Map<TemplateNode, TemplateNode>)].map(([key, value]) => [
            this.evaluate(key, scope),
            this.evaluate(value, scope),
          ]),
        );
      case 'Identifier':
        return scope.get(node.value as string);
      case 'MemberExpression':
        return this.#member(node, scope);
      case 'CallExpression':
        return this.#call(node, scope);
      case 'UnaryExpression':
        return this.#unary(node, scope);
      case 'BinaryExpression':
        return this.#binary(node, scope);
      case 'FilterExpression':
        return this.filtered(this.evaluate(node.operand as TemplateNode, scope), node, scope);
      case 'TestExpression':
        return this.#test(node, scope);
      case 'Ternary': {
        const branch = isTrue(this.evaluate(node.condition as TemplateNode, scope)) ? node.trueExpr : node.falseExpr;
        return branch === null ? undefined : this.evaluate(branch as TemplateNode, scope);
      }
      case 'ChainedComparison':
        return this.#chain(node, scope);
      case 'Block':
        return this.written(node.body, scope);
      default:
        throw new Error(`unknown expression ${node.type}`);
    }
  }

  /** The value behind the filter of a node. @throws Error for an unknown filter */
  filtered(value: JinjaValue, node: TemplateNode, scope: JinjaScope): JinjaValue {
    const filter = node.filter as TemplateNode;
    const given =
      filter.type === 'CallExpression' ? this.arguments(filter.args as TemplateNode[], scope) : NO_ARGUMENTS;
    if (!QUICK_FILTERS.has(filterName(node))) this.count(1 + sizeOf(value));
    return filterByName(filterName(node))(value, given);
  }

  arguments(nodes: readonly TemplateNode[], scope: JinjaScope): JinjaArguments {
    const positional: JinjaValue[] = [];
    const named = new Map<string, JinjaValue>();
    for (const node of nodes) {
      if (node.type === 'KeywordArgumentExpression') {
        named.set(String((node.key as TemplateNode).value), this.evaluate(node.value as TemplateNode, scope));
      } else if (node.type === 'SpreadExpression') {
        positional.push(...itemsOf(this.evaluate(node.argument as TemplateNode, scope)));
      } else if (node.type === 'KeywordSpreadExpression') {
        const entries = this.evaluate(node.argument as TemplateNode, scope);
        if (!isDict(entries)) throw new Error('argument after ** must be a mapping');
        for (const [key, value] of entries) named.set(String(key), value);
      } else {
        positional.push(this.evaluate(node, scope));
      }
    }
    return { positional, named };
  }

  called(callee: JinjaValue, given: JinjaArguments): JinjaValue {
    if (!(callee instanceof JinjaFunction || callee instanceof JinjaCallable))
      throw new Error(`'${typeName(callee)}' object is not callable`);
    return callee.call(given);
  }

  /** The text that statements write in a scope of their own. */
  protected abstract written(statements: unknown, scope: JinjaScope): string;

  protected count(evaluations: number): void {
    this.#evaluations += evaluations;
    if (this.#evaluations <= MAX_EVALUATIONS) return;
    throw new TemplateError(
      `messages: the chat template takes more than ${MAX_EVALUATIONS} evaluations. Remedy: send fewer messages.`,
      { param: 'messages' },
    );
  }

  #all(nodes: unknown, scope: JinjaScope): JinjaValue[] {
    return (nodes as TemplateNode[]).map((node) => this.evaluate(node, scope));
  }

  #member(node: TemplateNode, scope: JinjaScope): JinjaValue {
    const value = this.evaluate(node.object as TemplateNode, scope);
    const property = node.property as TemplateNode;
    if (node.computed !== true) {
      return property.type === 'Identifier'
        ? attributeOf(value, String(property.value))
        : memberOf(value, property.value as number);
    }
    if (property.type !== 'SliceExpression') return memberOf(value, this.evaluate(property, scope));
    const [start, stop, step] = [property.start, property.stop, property.step].map((bound) =>
      bound === undefined ? null : this.evaluate(bound as TemplateNode, scope),
    );
    return sliceOf(value, start, stop, step);
  }

  #call(node: TemplateNode, scope: JinjaScope): JinjaValue {
    const callee = node.callee as TemplateNode;
    const called = this.evaluate(callee, scope);
    if (called === undefined) throw new Error(`'${nameOf(callee)}' is undefined`);
    return this.called(called, this.arguments(node.args as TemplateNode[], scope));
  }

  #unary(node: TemplateNode, scope: JinjaScope): JinjaValue {
    const value = this.evaluate(node.argument as TemplateNode, scope);
    const operator = operatorOf(node);
    if (operator === 'not') return !isTrue(value);
    const number = numberOf(value);
    if (number === null) throw new Error(`bad operand type for unary ${operator}: '${typeName(value)}'`);
    const signed = operator === '-' ? -number : number;
    return value instanceof JinjaFloat ? new JinjaFloat(signed) : signed + 0;
  }

  #binary(node: TemplateNode, scope: JinjaScope): JinjaValue {
    const operator = operatorOf(node);
    if (operator === '+') return plainOf(this.#sum(node, scope));
    const left = this.evaluate(node.left as TemplateNode, scope);
    if (operator === 'and') return isTrue(left) ? this.evaluate(node.right as TemplateNode, scope) : left;
    if (operator === 'or') return isTrue(left) ? left : this.evaluate(node.right as TemplateNode, scope);
    return operate(operator, left, this.evaluate(node.right as TemplateNode, scope));
  }

  /** Texts beside one that `safe` or `escape` gave are escaped, as Python's markup does it. */
  #sum(node: TemplateNode, scope: JinjaScope): JinjaValue | JinjaMarkup {
    if (node.type === 'BinaryExpression' && operatorOf(node) === '+') {
      const left = this.#sum(node.left as TemplateNode, scope);
      return added(left, this.#sum(node.right as TemplateNode, scope));
    }
    const value = this.evaluate(node, scope);
    return isMarkup(node) ? new JinjaMarkup(textOf(value)) : value;
  }

  /** Every value is evaluated once, and none behind the first comparison that does not hold. */
  #chain(node: TemplateNode, scope: JinjaScope): JinjaValue {
    let left = this.evaluate(node.first as TemplateNode, scope);
    for (const link of node.links as TemplateNode[]) {
      const right = this.evaluate(link.right as TemplateNode, scope);
      if (!isTrue(operate(operatorOf(link), left, right))) return false;
      left = right;
    }
    return true;
  }

  #test(node: TemplateNode, scope: JinjaScope): JinjaValue {
    const name = String((node.test as TemplateNode).value);
    const test = JINJA_TESTS.get(name);
    if (test === undefined) throw new Error(`No test named '${name}'`);
    const value = this.evaluate(node.operand as TemplateNode, scope);
    const result = test(value, ...this.arguments(node.args as TemplateNode[], scope).positional);
    return node.negate === true ? !result : result;
  }
}

/** Whether templates may use a filter. */
export function isKnownFilter(name: string): boolean {
  return name === 'map' || JINJA_FILTERS.has(name);
}

function filterByName(name: string): JinjaFilter {
  if (name === 'map') return (value, given) => mapped(value, given, filterByName);
  const filter = JINJA_FILTERS.get(name);
  if (filter === undefined) throw new Error(`No filter named '${name}'`);
  return filter;
}

function sizeOf(value: JinjaValue): number {
  if (Array.isArray(value)) return value.length;
  return isDict(value) ? value.size : 0;
}

function operatorOf(node: TemplateNode): string {
  return String((node.operator as { value: unknown }).value);
}

function nameOf(node: TemplateNode): string {
  return String(node.type === 'MemberExpression' ? (node.property as TemplateNode).value : node.value);
}
