/**
 * Fills a table. A column is a title, or `{ title, kind }` with the kind `number` or `text`, which may be long; cells are
 * texts, numbers or elements.
 * @param empty what is said where there is no row
 */
export function fill(table, columns, rows, empty) {
  const kinds = columns.map(({ kind }) => kind ?? '');
  const cellOf = (tag, content, kind) => {
    const cell = document.createElement(tag);
    cell.className = kind;
    cell.append(content instanceof Node ? content : String(content));
    return cell;
  };
  const head = document.createElement('tr');
  for (const [at, column] of columns.entries()) {
    const cell = cellOf('th', column.title ?? column, kinds[at]);
    cell.scope = 'col';
    head.append(cell);
  }
  const lines = rows.map((cells) => {
    const line = document.createElement('tr');
    line.append(...cells.map((content, at) => cellOf('td', content, kinds[at])));
    return line;
  });
  if (rows.length === 0) {
    const line = document.createElement('tr');
    const cell = cellOf('td', empty, 'empty');
    cell.colSpan = columns.length;
    line.append(cell);
    lines.push(line);
  }
  const [thead, tbody] = [document.createElement('thead'), document.createElement('tbody')];
  thead.append(head);
  tbody.append(...lines);
  table.replaceChildren(thead, tbody);
}

/** A column of numbers. */
export const number = (title) => ({ title, kind: 'number' });
/** A column of texts that may be long. */
export const text = (title) => ({ title, kind: 'text' });
