import { parameters } from './call-arguments.ts';
import { ExpressionParser } from './expression-parser.ts';
import { tokenize } from './template-lexer.ts';
import { stringLiteral, type TemplateNode } from './template-node.ts';
import { TokenReader } from './token-reader.ts';

/**
 * Parses a template with the statements that Hugging Face's Jinja has: those of Jinja 3 that need no other file, loop controls
 * and `generation`. @throws SyntaxError
 */
export function parseTemplate(source: string): TemplateNode {
  const parser = new StatementParser(new TokenReader(tokenize(source)));
  return { type: 'Program', body: parser.program() };
}

class StatementParser {
  readonly #tokens: TokenReader;
  readonly #expressions: ExpressionParser;
  readonly #statements: Readonly<Record<string, () => TemplateNode | readonly TemplateNode[]>> = {
    if: () => this.#if(),
    for: () => this.#for(),
    set: () => this.#set(),
    macro: () => this.#macro(),
    call: () => this.#call(),
    filter: () => this.#filter(),
    with: () => this.#with(),
    print: () => this.#print(),
    generation: () => ({ type: 'Block', body: this.#body('endgeneration') }),
    break: () => ({ type: 'Break' }),
    continue: () => ({ type: 'Continue' }),
  };

  constructor(tokens: TokenReader) {
    this.#tokens = tokens;
    this.#expressions = new ExpressionParser(tokens);
  }

  program(): TemplateNode[] {
    const body = this.#until([]);
    if (!this.#tokens.isAtEnd) throw new SyntaxError(`unexpected ${this.#tokens.described()}`);
    return body;
  }

  /** The statements up to a block of one of these names, whose name is the current token then. */
  #until(ends: readonly string[]): TemplateNode[] {
    const tokens = this.#tokens;
    const body: TemplateNode[] = [];
    while (!tokens.isAtEnd) {
      if (tokens.is('text')) {
        body.push(stringLiteral(tokens.next().value));
      } else if (tokens.is('printBegin')) {
        tokens.next();
        body.push(this.#expressions.sequence());
        tokens.expect('printEnd');
      } else {
        tokens.expect('blockBegin');
        if (tokens.isWord(...ends)) return body;
        body.push(...this.#statement());
        tokens.expect('blockEnd');
      }
    }
    if (ends.length > 0) throw new SyntaxError(`the template ends where ${ends.join(' or ')} is expected`);
    return body;
  }

  #statement(): readonly TemplateNode[] {
    const { value } = this.#tokens.expect('name');
    const statement = Object.hasOwn(this.#statements, value) ? this.#statements[value] : undefined;
    if (statement === undefined) throw new SyntaxError(`unknown tag '${value}'`);
    return [statement()].flat();
  }

  /** What stands between the end of this block and the block that ends it, which is gone through up to its own end. */
  #body(end: string): TemplateNode[] {
    this.#tokens.expect('blockEnd');
    const body = this.#until([end]);
    this.#tokens.next();
    return body;
  }

  #if(): TemplateNode {
    const test = this.#expressions.sequence(false);
    this.#tokens.expect('blockEnd');
    const body = this.#until(['elif', 'else', 'endif']);
    const { value } = this.#tokens.next();
    if (value === 'elif') return { type: 'If', test, body, alternate: [this.#if()] };
    return { type: 'If', test, body, alternate: value === 'else' ? this.#body('endif') : [] };
  }

  #for(): TemplateNode {
    const loopvar = this.#expressions.target();
    this.#tokens.expect('name', 'in');
    const iterable = this.#expressions.sequence(false);
    const test = this.#tokens.skip('name', 'if') ? this.#expressions.expression() : null;
    const isRecursive = this.#tokens.skip('name', 'recursive');
    this.#tokens.expect('blockEnd');
    const body = this.#until(['else', 'endfor']);
    const defaultBlock = this.#tokens.next().value === 'else' ? this.#body('endfor') : [];
    return { type: 'For', loopvar, iterable, test, isRecursive, body, defaultBlock };
  }

  #set(): TemplateNode {
    const assignee = this.#expressions.target();
    if (this.#tokens.skip('operator', '=')) {
      return { type: 'Set', assignee, value: this.#expressions.sequence() };
    }
    const written: { type: string; body: TemplateNode[] } = { type: 'Block', body: [] };
    const value = this.#expressions.filters(written);
    written.body = this.#body('endset');
    return { type: 'Set', assignee, value };
  }

  #filter(): TemplateNode {
    const written: { type: string; body: TemplateNode[] } = { type: 'Block', body: [] };
    const value = this.#expressions.filters(this.#expressions.filter(written));
    written.body = this.#body('endfilter');
    return value;
  }

  #macro(): TemplateNode {
    const name = this.#tokens.name();
    const args = this.#parameters();
    return { type: 'Macro', name, args, body: this.#body('endmacro') };
  }

  #parameters(): TemplateNode[] {
    return parameters(this.#tokens, () => this.#expressions.expression());
  }

  #call(): TemplateNode {
    const callerArgs = this.#tokens.is('operator', '(') ? this.#parameters() : [];
    const call = this.#expressions.expression();
    if (call.type !== 'CallExpression') throw new SyntaxError('expected a call');
    return { type: 'CallStatement', call, callerArgs, body: this.#body('endcall') };
  }

  #with(): TemplateNode {
    const [targets, values]: [TemplateNode[], TemplateNode[]] = [[], []];
    while (!this.#tokens.is('blockEnd')) {
      if (targets.length > 0) this.#tokens.expect('operator', ',');
      targets.push(this.#expressions.target());
      this.#tokens.expect('operator', '=');
      values.push(this.#expressions.expression());
    }
    return { type: 'With', targets, values, body: this.#body('endwith') };
  }

  #print(): TemplateNode[] {
    const written: TemplateNode[] = [];
    while (!this.#tokens.is('blockEnd')) {
      if (written.length > 0) this.#tokens.expect('operator', ',');
      written.push(this.#expressions.expression());
    }
    return written;
  }
}
