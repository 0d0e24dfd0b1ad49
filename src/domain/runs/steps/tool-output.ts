import { badOutput, largestOutput, tooLargeOutput } from './tool-fit.ts';

const firstSize = 64 * 1024;

/** The one JSON document a tool writes, collected piece by piece in at most `largestOutput` bytes of memory. */
export class ToolOutput {
  readonly #tool: string;
  #bytes = Buffer.alloc(0);
  #length = 0;

  constructor(tool: string) {
    this.#tool = tool;
  }

  /** @throws WaybillError `tool_output_too_large` */
  add(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > largestOutput) {
      this.#bytes = Buffer.alloc(0);
      throw tooLargeOutput(this.#tool);
    }
    // One buffer, and not a list of them: a tool that writes byte by byte would make millions.
    if (length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.min(largestOutput, Math.max(firstSize, length, 2 * this.#bytes.length)));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
  }

  /** @throws WaybillError `tool_output_invalid`; never with a part of the output, which may hold a secret */
  parse(): unknown {
    const bytes = this.#bytes.subarray(0, this.#length);
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      throw badOutput(this.#tool, 'its bytes are not UTF-8', {}, error);
    }
    if (text.trim() === '') throw badOutput(this.#tool, 'it wrote nothing to standard output');
    try {
      return JSON.parse(text);
    } catch {
      throw badOutput(this.#tool, `its ${bytes.length} bytes are not one JSON document`);
    }
  }
}
