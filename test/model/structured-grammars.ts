import { Script } from 'node:vm';

export interface GrammarCase {
  readonly name: string;
  readonly grammar: string;
  /** Whether a text is of the grammar's language, found out without the grammar. */
  readonly isValid: (text: string) => boolean;
  /** Characters that end what would go on otherwise. */
  readonly push: string;
}

/** Whether JavaScript's parser takes the text. */
function isScript(text: string): boolean {
  try {
    new Script(text);
    return true;
  } catch {
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const matches = (pattern: RegExp) => (text: string) => pattern.test(text);

const SUMS = `
// Levels of precedence, each beginning with itself.
?start: sum
?sum: product
    | sum "+" product   -> add
    | sum "-" product   -> sub
?product: atom
    | product "*" atom  -> mul
    | product "/" atom  -> div
?atom: NUMBER           -> number
     | "-" atom         -> neg
     | "(" sum ")"

NUMBER: "0" | ("1".."9") DIGIT~0..5
%import common (DIGIT, WS_INLINE)
%ignore WS_INLINE
`;

const AMBIGUOUS_SUMS = `
root ::= e
e ::= e "+" e | e "*" e | "(" e ")" | "0" | [1-9] [0-9]{0,3}
`;

const JSON_TEXT = String.raw`
# A document of any shape.
root   ::= value
value  ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws ( pair ( "," ws pair )* )? "}"
pair   ::= string ":" ws value ws
array  ::= "[" ws ( value ws ( "," ws value ws )* )? "]"
string ::= "\"" ( [^"\\\x00-\x1F\x7F] | "\\" ( ["\\/bfnrt] | "u" [0-9a-fA-F]{4} ) )* "\""
number ::= "-"? ( "0" | [1-9] [0-9]{0,8} ) ( "." [0-9]{1,6} )? ( [eE] [-+]? [0-9]{1,2} )?
ws     ::= [ \t\n]{0,3}
`;

const BULLETS = String.raw`root ::= item{1,5}
item ::= "- " [^\r\n\x0b\x0c\x85\u2028\u2029]{1,40} "\n"`;

const MOVES = String.raw`
root ::= "1. " move " " move "\n" ( [2-9] ". " move " " move "\n" ){0,3}
move ::= ( pawn | piece | castle ) [+#]?
pawn ::= ( [a-h] "x" )? square ( "=" [NBRQ] )?
piece ::= [NBRQK] [a-h]? [1-8]? "x"? square
castle ::= "O-O" "-O"?
square ::= [a-h] [1-8]
`;
const MOVE = '(?:(?:[a-h]x)?[a-h][1-8](?:=[NBRQ])?|[NBRQK][a-h]?[1-8]?x?[a-h][1-8]|O-O(?:-O)?)[+#]?';

const QUERIES = String.raw`
start: query ";"
query: "select"i columns "from"i TABLE join* where? order? ("limit"i COUNT)?
columns: "*" | column ("," column)*
column: NAME | "count"i "(" ("*" | NAME) ")"
join: ["left"i] "join"i TABLE "on"i NAME "=" NAME
where: "where"i condition
condition: condition "and"i comparison
         | condition "or"i comparison
         | comparison
comparison: NAME ("=" | "<>" | "<" | ">" | "<=" | ">=") value
          | "(" condition ")"
value: COUNT | TEXT | "(" query ")"
order: "order"i " by"i NAME ["asc"i | "desc"i]
TABLE: "users" | "orders"
NAME: ("id" | "user_id" | "name" | "total")
COUNT: /[1-9][0-9]{0,4}/
TEXT: /'[^'\n\r]{0,12}'/
%ignore " "
`;

const PROGRAM = String.raw`
root ::= function+
function ::= type " " name "(" (type " " name ("," " "? type " " name)*)? ")" " "? block
type ::= "int" | "char"
block ::= "{" nl statement* "}" nl
statement ::= type " " name " = " expression ";" nl
            | name " = " expression ";" nl
            | "if (" expression ") " block ("else " block)?
            | "while (" expression ") " block
            | "return " expression ";" nl
            | call ";" nl
expression ::= comparison | expression " && " comparison | expression " || " comparison
comparison ::= sum | comparison (" < " | " <= " | " == ") sum
sum ::= product | sum (" + " | " - ") product
product ::= unary | product (" * " | " / " | " % ") unary
unary ::= "-" " " unary | "!" unary | postfix
postfix ::= primary | call | element
call ::= postfix "(" (expression (", " expression)*)? ")"
element ::= postfix "[" expression "]"
primary ::= name | [1-9] [0-9]{0,4} | "(" expression ")"
name ::= [a-z] "_" [a-z0-9]{0,6}
nl ::= "\n"
`;

/** Whether the program is one of JavaScript's, with JavaScript's words for declarations. */
function isProgram(text: string): boolean {
  const header = /(?:int|char) ([a-z]_\w*)\(([^()]*)\) ?\{/g;
  const functions = text.replace(
    header,
    (_, name, parameters) => `function ${name}(${parameters.replace(/int |char /g, '')}) {`,
  );
  // Names may be declared twice, and what is called may be a number.
  return isScript(functions.replace(/^(?:int|char) /gm, 'var '));
}

/** Grammars as they are written for models, in both notations. */
export const GRAMMAR_CASES: readonly GrammarCase[] = [
  {
    name: 'sums, whose rules begin with themselves',
    grammar: SUMS,
    isValid: (text) => /^[-\d+*/()\t ]+$/.test(text) && isScript(text.replaceAll('-', '- ').replaceAll('/', '%')),
    push: ')',
  },
  {
    name: 'sums that can be read in several ways',
    grammar: AMBIGUOUS_SUMS,
    isValid: (text) => /^[\d+*()]+$/.test(text) && isScript(text.replaceAll('+', ' + ')),
    push: ')',
  },
  { name: 'JSON', grammar: JSON_TEXT, isValid: isJson, push: '"}],' },
  { name: 'a list of bullets', grammar: BULLETS, isValid: matches(/^(?:- .{1,40}\n){1,5}$/u), push: '\n' },
  {
    name: 'moves of chess',
    grammar: MOVES,
    isValid: matches(new RegExp(`^1\\. ${MOVE} ${MOVE}\n(?:[2-9]\\. ${MOVE} ${MOVE}\n){0,3}$`)),
    push: '\n',
  },
  { name: 'queries', grammar: QUERIES, isValid: isQuery, push: ';' },
  { name: 'a program', grammar: PROGRAM, isValid: isProgram, push: '};' },
];

/** Takes what stands in parentheses, innermost first, for a value or a condition, until nothing does. */
function isQuery(text: string): boolean {
  const s = ' *';
  const name = `(?:id|user_id|name|total)${s}`;
  const comparison = `(?:${name}(?:=|<>|<=|>=|<|>)${s}(?:[1-9][0-9]{0,4}|'[^'\\n\\r]{0,12}'|Q)${s}|C${s})`;
  const condition = `${comparison}(?:(?:and|or)${s}${comparison})*`;
  const column = `(?:${name}|count${s}N${s})`;
  const query =
    `select${s}(?:\\*${s}|${column}(?:,${s}${column})*)from${s}(?:users|orders)${s}` +
    `(?:(?:left${s})?join${s}(?:users|orders)${s}on${s}${name}=${s}${name})*(?:where${s}${condition})?` +
    `(?:order${s} by${s}${name}(?:(?:asc|desc)${s})?)?(?:limit${s}[1-9][0-9]{0,4}${s})?`;
  const flags = 'i';
  let left = text.replace(/'[^'\n\r]{0,12}'/gu, "'x'");
  for (let before = ''; before !== left; ) {
    before = left;
    left = left
      .replace(new RegExp(`(count *)\\( *(?:\\* *|${name})\\)`, 'gi'), '$1N')
      .replace(new RegExp(`\\( *${query}\\)`, 'gi'), 'Q')
      .replace(new RegExp(`\\( *${condition}\\)`, 'gi'), 'C');
  }
  return new RegExp(`^${query};${s}$`, flags).test(left);
}
