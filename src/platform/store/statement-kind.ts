import { WaybillError } from '../../contract/errors.ts';

const allowed = new Set(['select', 'insert', 'update', 'delete', 'with', 'values']);
/** White space, comments, and the things in which a `;` means nothing. */
const skipped = /\s+|--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]/y;
const word = /[A-Za-z_][A-Za-z_0-9]*/y;

/**
 * Allows a closure one statement that reads or changes rows, and nothing else: no transaction control, no
 * settings, no attaching, no DDL. The engines refuse most of this too; asking the text first gives the same
 * answer on both, and SQLite would silently ignore what follows the first statement.
 * @throws WaybillError `transaction_denied`
 */
export function refuseOtherStatements(sql: string): void {
  let first: string | undefined;
  let ended = false;
  let at = 0;
  while (at < sql.length) {
    skipped.lastIndex = at;
    const gap = skipped.exec(sql);
    if (gap !== null) {
      if (ended && /^['"`[]/.test(gap[0])) throw denied('more than one statement');
      at = skipped.lastIndex;
      continue;
    }
    if (ended) throw denied('more than one statement');
    word.lastIndex = at;
    const found = word.exec(sql);
    if (found === null) {
      ended = sql[at] === ';';
      at++;
      continue;
    }
    first ??= found[0].toLowerCase();
    at = word.lastIndex;
  }
  if (first === undefined) throw denied('no statement at all');
  if (!allowed.has(first)) throw denied(`a statement of the kind ${first.slice(0, 20).toUpperCase()}`);
}

function denied(what: string): WaybillError {
  return new WaybillError('transaction_denied', `a transaction scope was asked to run ${what}`, {
    hint: 'A scope may run one SELECT, INSERT, UPDATE or DELETE at a time; schema changes belong in a migration.',
  });
}
