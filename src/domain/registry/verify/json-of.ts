/** What a text of a store holds as JSON; null for one that holds none, which no schema takes for something else. */
export function jsonOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return null;
  }
}
