export type TokenKind =
  | 'text'
  /** `{{` */
  | 'printBegin'
  /** `}}` */
  | 'printEnd'
  /** `{%` */
  | 'blockBegin'
  /** `%}` */
  | 'blockEnd'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator';

export interface TemplateToken {
  readonly kind: TokenKind;
  /** The text of a string as it is meant, of all else as it is written. */
  readonly value: string;
}
