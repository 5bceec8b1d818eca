export interface EvenRows {
  readonly pastTokens: number;
  readonly rows: number[];
}

/**
 * Puts the rows 0 … rows−1 into groups of equal past length, in the order of each group's first row.
 * @param eachAlone one group for each row
 */
export function rowsByPast(rows: number, pastTokens: Int32Array, eachAlone = false): EvenRows[] {
  if (eachAlone) return Array.from({ length: rows }, (_, row) => ({ pastTokens: pastTokens[row] ?? 0, rows: [row] }));
  const groups = new Map<number, EvenRows>();
  for (let row = 0; row < rows; row++) {
    const past = pastTokens[row] ?? 0;
    const group = groups.get(past);
    if (group === undefined) groups.set(past, { pastTokens: past, rows: [row] });
    else group.rows.push(row);
  }
  return [...groups.values()];
}
