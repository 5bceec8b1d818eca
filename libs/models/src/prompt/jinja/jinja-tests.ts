import { contains } from './jinja-operators.ts';
import {
  areEqual,
  compare,
  isDict,
  isList,
  JinjaFloat,
  JinjaFunction,
  JinjaTuple,
  type JinjaValue,
  numberOf,
} from './jinja-value.ts';

type JinjaTest = (value: JinjaValue, ...given: readonly JinjaValue[]) => boolean;

const isSequence: JinjaTest = (value) =>
  typeof value === 'string' || isList(value) || isDict(value) || value instanceof JinjaTuple;
const isEqual: JinjaTest = (value, other) => areEqual(value, other);
const isLess: JinjaTest = (value, other) => compare(value, other) < 0;
const isGreater: JinjaTest = (value, other) => compare(value, other) > 0;
const isAtLeast: JinjaTest = (value, other) => compare(value, other) >= 0;
const isAtMost: JinjaTest = (value, other) => compare(value, other) <= 0;
const isUnequal: JinjaTest = (value, other) => !areEqual(value, other);

/** Jinja's tests (`is defined`, `select('equalto', x)`). https://jinja.palletsprojects.com/en/stable/templates/#builtin-tests */
export const JINJA_TESTS: ReadonlyMap<string, JinjaTest> = new Map<string, JinjaTest>([
  ['boolean', (value) => typeof value === 'boolean'],
  ['callable', (value) => value instanceof JinjaFunction],
  ['defined', (value) => value !== undefined],
  ['undefined', (value) => value === undefined],
  ['divisibleby', (value, by) => remainder(value, numberOf(by) ?? 0) === 0],
  ['even', (value) => remainder(value, 2) === 0],
  ['odd', (value) => remainder(value, 2) === 1],
  ['false', (value) => value === false],
  ['true', (value) => value === true],
  ['float', (value) => value instanceof JinjaFloat],
  ['integer', (value) => typeof value === 'number' || typeof value === 'bigint'],
  ['number', (value) => numberOf(value) !== null],
  ['none', (value) => value === null],
  ['string', (value) => typeof value === 'string'],
  ['mapping', (value) => isDict(value)],
  ['sequence', isSequence],
  ['iterable', (value) => value === undefined || isSequence(value)],
  ['lower', (value) => typeof value === 'string' && value !== value.toUpperCase() && value === value.toLowerCase()],
  ['upper', (value) => typeof value === 'string' && value !== value.toLowerCase() && value === value.toUpperCase()],
  ['in', (value, container) => contains(container, value)],
  ['sameas', (value, other) => value === other],
  ['eq', isEqual],
  ['equalto', isEqual],
  ['==', isEqual],
  ['ne', isUnequal],
  ['!=', isUnequal],
  ['lt', isLess],
  ['lessthan', isLess],
  ['<', isLess],
  ['gt', isGreater],
  ['greaterthan', isGreater],
  ['>', isGreater],
  ['ge', isAtLeast],
  ['>=', isAtLeast],
  ['le', isAtMost],
  ['<=', isAtMost],
]);

function remainder(value: JinjaValue, by: number): number {
  const number = numberOf(value);
  if (number === null || by === 0) throw new Error('a number is needed');
  return number - by * Math.floor(number / by);
}
