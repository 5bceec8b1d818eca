import { filterName } from '../mark-template.ts';
import type { TemplateNode } from '../syntax/template-node.ts';
import { operate } from './jinja-operators.ts';
import { textOf } from './jinja-text.ts';
import type { JinjaValue } from './jinja-value.ts';

/** Filters whose result is markup: text that is not escaped again. */
const MARKUP_FILTERS: ReadonlySet<string> = new Set(['safe', 'e', 'escape']);
/** Filters whose result is markup where what they are given is. */
const MARKUP_KEEPING_FILTERS: ReadonlySet<string> = new Set(['trim', 'upper', 'lower', 'string']);

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' };

/** A text that is markup, where Python goes on to treat it as such: as an operand of `+`. Anywhere else it is its text. */
export class JinjaMarkup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Whether a filter's result is markup, as its expression tells. */
export function isMarkup(node: TemplateNode): boolean {
  if (node.type !== 'FilterExpression') return false;
  const name = filterName(node);
  return MARKUP_FILTERS.has(name) || (MARKUP_KEEPING_FILTERS.has(name) && isMarkup(node.operand as TemplateNode));
}

export function escapeHtml(value: JinjaValue): string {
  return textOf(value).replace(/[&<>'"]/g, (character) => HTML[character] ?? character);
}

/** `left + right`; beside markup the other text is escaped. @throws Error as Python does */
export function added(left: JinjaValue | JinjaMarkup, right: JinjaValue | JinjaMarkup): JinjaValue | JinjaMarkup {
  if (!(left instanceof JinjaMarkup) && !(right instanceof JinjaMarkup)) return operate('+', left, right);
  const [before, behind] = [plainOf(left), plainOf(right)];
  if (typeof before !== 'string' || typeof behind !== 'string') return operate('+', before, behind);
  const text = (part: JinjaValue | JinjaMarkup): string => (part instanceof JinjaMarkup ? part.text : escapeHtml(part));
  return new JinjaMarkup(text(left) + text(right));
}

export function plainOf(value: JinjaValue | JinjaMarkup): JinjaValue {
  return value instanceof JinjaMarkup ? value.text : value;
}
