/** Longer than any name that we give; what a stranger sends may be longer. */
const MAX_LENGTH = 1_024;

/**
 * The value with every text in it as PostgreSQL gives it back: without NUL and lone surrogates, which
 * it cannot hold, and not endless. What is hashed is what will be read.
 */
export function storable<Value>(value: Value): Value {
  // It changes texts into texts, so the type stays.
  return JSON.parse(JSON.stringify(value), (_key, each: unknown) => withPlainTexts(each)) as Value;
}

function withPlainTexts(value: unknown): unknown {
  if (typeof value === 'string') {
    return plain(value);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [plain(key), each]));
}

function plain(text: string): string {
  return text.slice(0, MAX_LENGTH).toWellFormed().replaceAll('\0', '\uFFFD');
}
