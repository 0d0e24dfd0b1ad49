/**
 * Where a text stops being JSON (RFC 8259), or says a key twice: `line 3, column 7: a value is missing`. Undefined for
 * sound JSON. For texts a person wrote: `JSON.parse` does not always say where, and takes the last of two equal keys.
 */
export function jsonProblem(text: string): string | undefined {
  try {
    new Scan(text).document();
    return undefined;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const before = text.slice(0, error.at).split('\n');
    return `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}: ${error.message}`;
  }
}

const deepest = 512;
const blank = /[ \t\n\r]*/y;
const text = /"(?:[^"\\]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const plain = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

class Problem extends Error {
  readonly at: number;
  constructor(at: number, what: string) {
    super(what);
    this.at = at;
  }
}

class Scan {
  readonly #text: string;
  #at = 0;

  constructor(whole: string) {
    this.#text = whole;
  }

  document(): void {
    this.#value(0);
    this.#take(blank);
    if (this.#at < this.#text.length) throw new Problem(this.#at, 'something follows the end of the document');
  }

  #value(depth: number): void {
    if (depth > deepest) throw new Problem(this.#at, `nested deeper than ${deepest}`);
    this.#take(blank);
    if (this.#is('{')) this.#object(depth);
    else if (this.#is('[')) this.#list(depth);
    else if (this.#text[this.#at] === '"') this.#string();
    else if (this.#take(plain) === undefined) throw new Problem(this.#at, 'a value is missing, or is not JSON');
  }

  #object(depth: number): void {
    const keys = new Set<string>();
    this.#take(blank);
    if (this.#is('}')) return;
    do {
      this.#take(blank);
      const at = this.#at;
      const key: unknown = JSON.parse(this.#string());
      if (keys.has(String(key))) throw new Problem(at, `the key ${JSON.stringify(key)} is there twice`);
      keys.add(String(key));
      this.#take(blank);
      if (!this.#is(':')) throw new Problem(this.#at, 'a ":" is missing');
      this.#value(depth + 1);
      this.#take(blank);
    } while (this.#is(','));
    if (!this.#is('}')) throw new Problem(this.#at, 'a "," or "}" is missing');
  }

  #list(depth: number): void {
    this.#take(blank);
    if (this.#is(']')) return;
    do {
      this.#value(depth + 1);
      this.#take(blank);
    } while (this.#is(','));
    if (!this.#is(']')) throw new Problem(this.#at, 'a "," or "]" is missing');
  }

  #string(): string {
    const at = this.#at;
    const found = this.#take(text);
    if (found === undefined)
      throw new Problem(at, 'a text in double quotes is missing, or has no end, or a wrong escape');
    const control = [...found].findIndex((character) => character < ' ');
    if (control >= 0)
      throw new Problem(at + control, 'a line break or control character inside a text: write it as \\n');
    return found;
  }

  #is(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}
