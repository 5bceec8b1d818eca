/** An answer in one of the formats that a query may ask for. */
export interface TextAnswer {
  readonly contentType: string;
  readonly body: string;
}

export const jsonAnswer = (value: unknown): TextAnswer => ({
  contentType: 'application/json',
  body: JSON.stringify(value),
});

export const jsonLinesAnswer = (texts: readonly string[]): TextAnswer => ({
  contentType: 'application/jsonl',
  body: lines(texts),
});

/** @param texts the header, then a line for each row */
export const csvAnswer = (texts: readonly string[]): TextAnswer => ({
  contentType: 'text/csv; charset=utf-8; header=present',
  body: lines(texts),
});

const lines = (texts: readonly string[]) => texts.map((text) => `${text}\n`).join('');
