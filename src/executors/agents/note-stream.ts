import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { AgentNote } from '../../domain/runs/ports.ts';
import { makeJsonWellFormed, makeWellFormed } from '../../platform/files/make-well-formed.ts';
import { createLineRedactor } from '../../platform/redaction/line-redactor.ts';
import type { RedactedText, Redactor } from '../../platform/redaction/redactor.ts';

const burstNotes = 10_000;
const notesPerSecond = 100;
const burstBytes = 16 * 1024 * 1024;
const bytesPerSecond = 64 * 1024;
/** What one note may weigh; the rest of a longer text is cut and counted. */
const longestMessage = 16_384;

/**
 * What an agent says on its way to the ledger. One note at a time: `add` is settled when the note is, so whoever
 * reads the agent waits, its pipe fills, and the agent waits too. And within a budget, a bucket that holds 10,000
 * notes and 16 MiB and fills again at 100 notes and 64 KiB a second: what is beyond it is dropped and counted, and
 * the next note that passes, or the one written by `flush`, says how many. Secrets are taken out of what passes.
 */
export class NoteStream {
  readonly #onNote: (note: AgentNote) => Promise<void>;
  readonly #redactor: Redactor;
  /** Kept per kind, because a private key is spread over the lines of one stream. */
  readonly #redactLine: Readonly<Record<AgentNote['kind'], (line: string) => RedactedText>>;
  readonly #now: () => number;
  #last: Promise<void> = Promise.resolve();
  #notes = burstNotes;
  #bytes = burstBytes;
  #filledAt: number;
  #dropped = 0;

  /** `now` is a monotonic time in milliseconds. */
  constructor(
    onNote: (note: AgentNote) => Promise<void>,
    redactor: Redactor,
    now: () => number = () => performance.now(),
  ) {
    this.#onNote = onNote;
    this.#redactor = redactor;
    this.#redactLine = {
      log: createLineRedactor(redactor),
      progress: createLineRedactor(redactor),
      stderr: createLineRedactor(redactor),
    };
    this.#now = now;
    this.#filledAt = now();
  }

  /** Rejects when the note could not be kept; every later call then rejects the same way. */
  add(kind: AgentNote['kind'], level: AgentNote['level'], text: string, data?: JsonObject): Promise<void> {
    this.#fill();
    const weight = text.length + (data === undefined ? 0 : JSON.stringify(data).length);
    if (this.#notes < 1 || this.#bytes < weight) {
      this.#dropped += 1;
      return this.#last;
    }
    this.#notes -= 1;
    this.#bytes -= weight;
    const message = cut(makeWellFormed(this.#redactLine[kind](text).text).value);
    return this.#pass({ kind, level, message, ...(data === undefined ? {} : { data: this.#kept(data) }) });
  }

  /** Says what was dropped since the last note, and waits until every note is kept. */
  flush(): Promise<void> {
    if (this.#dropped === 0) return this.#last;
    const message = `${this.#dropped} notes were dropped: the agent spoke faster than its budget`;
    return this.#pass({ kind: 'log', level: 'warning', message });
  }

  get dropped(): number {
    return this.#dropped;
  }

  #pass(note: AgentNote): Promise<void> {
    const full = this.#dropped === 0 ? note : { ...note, dropped: this.#dropped };
    this.#dropped = 0;
    this.#last = this.#last.then(() => this.#onNote(full));
    return this.#last;
  }

  #kept(data: JsonObject): JsonObject {
    const size = JSON.stringify(data).length;
    if (size > longestMessage) return { cut: true, characters: size };
    const clean = makeJsonWellFormed(this.#redactor.json(data).value);
    return clean.escaped || !isJsonObject(clean.value) ? { escaped: true, value: clean.value } : clean.value;
  }

  #fill(): void {
    const now = this.#now();
    const seconds = (now - this.#filledAt) / 1000;
    this.#filledAt = now;
    this.#notes = Math.min(burstNotes, this.#notes + seconds * notesPerSecond);
    this.#bytes = Math.min(burstBytes, this.#bytes + seconds * bytesPerSecond);
  }
}

function cut(text: string): string {
  if (text.length <= longestMessage) return text;
  return `${text.slice(0, longestMessage)} (cut: ${text.length - longestMessage} more characters)`;
}
