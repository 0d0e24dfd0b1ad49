export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** A property of whatever was thrown. A getter or a proxy may throw; then it is as good as missing. */
export function readProperty(thrown: unknown, key: string): unknown {
  if (!isObject(thrown)) return undefined;
  try {
    return Reflect.get(thrown, key);
  } catch {
    return undefined;
  }
}
