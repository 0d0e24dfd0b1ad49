/** A value that JSON can hold; what travels in inputs, outputs, events and receipts. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}
