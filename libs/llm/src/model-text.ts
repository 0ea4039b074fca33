const REPLACEMENT = '\u{FFFD}';
const LAST_IS_HIGH_SURROGATE = /[\u{D800}-\u{DBFF}]$/u;

/**
 * Makes a stream of text safe to store and to cut: no piece begins or ends inside a surrogate pair,
 * and NUL (which PostgreSQL refuses) and lone surrogates (which UTF-8 has no bytes for) become
 * U+FFFD. It happens before anything is streamed, because nothing may alter text afterwards.
 */
export class ModelText {
  #held = '';

  /** The text that is complete with this piece; it may be empty. */
  push(piece: string): string {
    const text = this.#held + piece;
    const complete = LAST_IS_HIGH_SURROGATE.test(text) ? text.length - 1 : text.length;
    this.#held = text.slice(complete);
    return cleanText(text.slice(0, complete));
  }

  /** What was held back for a second half that never came. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return cleanText(held);
  }
}

/** Text without what PostgreSQL or UTF-8 does not take. */
function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', REPLACEMENT);
}

/**
 * Reads JSON that a model wrote, whose escapes may say what {@link cleanText} takes out.
 *
 * @throws SyntaxError
 */
export function parseModelJson(text: string): unknown {
  return JSON.parse(text, (_name, value: unknown) => {
    if (typeof value === 'string') {
      return cleanText(value);
    }
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? withCleanNames(value) : value;
  });
}

function withCleanNames(value: object): object {
  const fields = Object.entries(value);
  return fields.every(([name]) => cleanText(name) === name)
    ? value
    : Object.fromEntries(fields.map(([name, each]) => [cleanText(name), each as unknown]));
}
