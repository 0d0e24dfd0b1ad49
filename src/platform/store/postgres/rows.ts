/** PostgreSQL's protocol counts parameters in 16 bits. */
const mostParameters = 65_535;

const insertShape = /^(\s*INSERT\s[^']*?\sVALUES\s*)(\((?:[^()']|\([^()']*\))*\))([^$]*)$/i;

export interface RowsStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/**
 * An `INSERT ... VALUES ($1, $2)` of several rows as few statements with `VALUES ($1,$2),($3,$4)`: one round
 * trip instead of one a row. Undefined when the text is of another form, which then runs row by row.
 */
export function multiRowInsert(
  sql: string,
  rows: readonly (readonly unknown[])[],
): readonly RowsStatement[] | undefined {
  const parts = insertShape.exec(sql);
  const width = rows[0]?.length ?? 0;
  if (parts === null || width === 0) return undefined;
  const [, before = '', tuple = '', after = ''] = parts;
  const perStatement = Math.floor(mostParameters / width);
  const statements: RowsStatement[] = [];
  for (let from = 0; from < rows.length; from += perStatement) {
    const chunk = rows.slice(from, from + perStatement);
    const tuples = chunk.map((_, index) =>
      tuple.replace(/\$(\d+)/g, (_match, n: string) => `$${Number(n) + index * width}`),
    );
    statements.push({ text: `${before}${tuples.join(',')}${after}`, values: chunk.flat() });
  }
  return statements;
}
