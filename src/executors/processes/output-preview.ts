import type { CapturedOutput } from '../../domain/runs/ports.ts';
import { DigestStream } from '../../platform/digests/digest.ts';

/** How much of the beginning, and how much of the end, of a stream is kept for people, in bytes. */
export const previewBytes = 64 * 1024;

/** What is known of one output stream of a command; `text` is its two ends when `truncated`, with a line between. */
export interface PreviewedOutput extends CapturedOutput {
  /** True when `text` held bytes that are not UTF-8, or NUL: each stands there as U+FFFD. */
  readonly altered: boolean;
  /** False when a process outside our reach still held the stream open and we stopped reading. */
  readonly complete: boolean;
}

/** Takes a stream of any length in constant memory (two buffers of `previewBytes`). */
export class OutputPreview {
  readonly #digest = new DigestStream();
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  /** A ring: `#bytes` says how much went through, and so where it continues. */
  #ring: Buffer | undefined;
  #ringBytes = 0;

  add(chunk: Uint8Array): void {
    this.#digest.update(chunk);
    const forHead = Math.min(previewBytes - this.#headBytes, chunk.length);
    // A copy: a small chunk may be a window into a large buffer that the preview must not keep alive.
    if (forHead > 0) this.#head.push(Buffer.from(chunk.subarray(0, forHead)));
    this.#headBytes += forHead;
    this.#addToRing(chunk.subarray(forHead));
  }

  #addToRing(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#ring ??= Buffer.alloc(previewBytes);
    const kept = chunk.subarray(Math.max(0, chunk.length - previewBytes));
    const at = (this.#ringBytes + chunk.length - kept.length) % previewBytes;
    const first = kept.subarray(0, previewBytes - at);
    this.#ring.set(first, at);
    this.#ring.set(kept.subarray(first.length), 0);
    this.#ringBytes += chunk.length;
  }

  finish(complete: boolean): PreviewedOutput {
    const head = Buffer.concat(this.#head);
    const tail = this.#ringInOrder();
    const bytes = this.#headBytes + this.#ringBytes;
    const rest = { bytes, digest: this.#digest.finish(), complete };
    if (this.#ringBytes <= previewBytes) return { ...rest, ...toText(Buffer.concat([head, tail])), truncated: false };
    // Cut between characters, so that cutting alone never alters one; and between words, because a secret cut in two
    // would not be recognized as one any more by whoever redacts the text.
    const whole = head.subarray(0, wordStart(head));
    const first = whole.subarray(0, whole.length - brokenEnd(whole));
    const others = tail.subarray(wordEnd(tail));
    const last = others.subarray(brokenStart(others));
    const [from, to] = [toText(first), toText(last)];
    const text = `${from.text}\n[${bytes - first.length - last.length} bytes left out]\n${to.text}`;
    return { ...rest, text, altered: from.altered || to.altered, truncated: true };
  }

  #ringInOrder(): Buffer {
    if (this.#ring === undefined) return Buffer.alloc(0);
    if (this.#ringBytes <= previewBytes) return this.#ring.subarray(0, this.#ringBytes);
    const at = this.#ringBytes % previewBytes;
    return Buffer.concat([this.#ring.subarray(at), this.#ring.subarray(0, at)]);
  }
}

/** Well-formed text without NUL, as every store of ours can hold it; says whether it had to change anything. */
function toText(bytes: Buffer): { readonly text: string; readonly altered: boolean } {
  // Counted in bytes: U+FFFD that the program itself wrote is not an alteration.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const altered = !Buffer.from(text, 'utf8').equals(bytes);
  return text.includes('\0') ? { text: text.replaceAll('\0', '\ufffd'), altered: true } : { text, altered };
}

/** Longer than any secret in one word; of a longer word this much is left out at the cut. */
const longestWord = 4096;

/** Where the word that the end cuts in two begins. */
function wordStart(bytes: Buffer): number {
  let at = bytes.length;
  while (at > bytes.length - longestWord && !isSpace(bytes[at - 1])) at--;
  return at;
}

/** Where the word that the start cuts in two ends. */
function wordEnd(bytes: Buffer): number {
  let at = 0;
  while (at < longestWord && !isSpace(bytes[at])) at++;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === undefined || byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** How many bytes at the end belong to a UTF-8 character whose rest was cut off. */
function brokenEnd(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? back : 0;
    }
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** How many bytes at the start belong to a UTF-8 character whose beginning was cut off. */
function brokenStart(bytes: Buffer): number {
  let count = 0;
  while (count < 3 && ((bytes[count] ?? 0) & 0xc0) === 0x80) count++;
  return count;
}
