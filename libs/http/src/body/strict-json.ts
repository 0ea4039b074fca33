/**
 * Reads JSON that means one thing only.
 *
 * `JSON.parse` lets through what another reader of the same text would see otherwise, or what the
 * database cannot store: a field given twice, half of a surrogate pair, NUL, a number beyond
 * doubles, and nesting that makes later code run out of stack. Each of them is refused with its
 * path. A text without any of them, which is nearly all, costs one scan of the text (which counts
 * colons and depth, and steps over strings) and one walk over the value (which counts fields): when
 * there are more colons than fields, some field stands there twice. Only then is the text parsed
 * again, slowly, to find out where.
 */
import { type FieldProblem, Problem } from '@soma/kernel';
import { type JSONPath, parse as parseTolerantly, type ParseError, visit } from 'jsonc-parser';

/** How deep arrays and objects may stand in each other. */
export const MAX_NESTING = 32;

/** A path in an answer is cut here: its parts come from the client. */
const MAX_PATH_LENGTH = 256;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** @throws {@link Problem} 400 `malformed_json`, or 422 `unacceptable_json` with the path. */
export function parseStrictJson(text: string): unknown {
  const { colons, tooDeepAt } = scan(text);
  if (tooDeepAt !== undefined) {
    // What comes after is cut off, because the tolerant parser calls itself for each level.
    const path = pathOfEnd(text.slice(0, tooDeepAt));
    throw unacceptable(path, `is nested deeper than ${MAX_NESTING} levels`);
  }
  const value = parse(text);
  const fields = countFields(value, []);
  if (fields !== colons) {
    throw unacceptable(findRepeated(text), 'is given twice');
  }
  return value;
}

/**
 * Counts the colons outside of strings, up to where the nesting is too deep. In a text that is not
 * JSON the result means nothing.
 */
function scan(text: string): { colons: number; tooDeepAt?: number } {
  let colons = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      at = endOfString(text, at);
    } else if (unit === COLON) {
      colons++;
    } else if (OPENING.has(unit) && ++depth > MAX_NESTING) {
      return { colons, tooDeepAt: at };
    } else if (CLOSING.has(unit)) {
      depth--;
    }
  }
  return { colons };
}

/** The closing quote: the next one with an even number of backslashes before it. */
function endOfString(text: string, opening: number): number {
  for (let end = text.indexOf('"', opening + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) {
      before--;
    }
    if ((end - before) % 2 === 1) {
      return end;
    }
  }
  return text.length;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem({
      status: 400,
      code: 'malformed_json',
      detail: `The body is not JSON: there is an error ${placeOfError(text)}.`,
      cause: error,
    });
  }
}

/** Counts the fields of all objects, and refuses what cannot be stored on the way. */
function countFields(value: unknown, path: JSONPath): number {
  if (typeof value === 'object' && value !== null) {
    return countWithin(value, path);
  }
  if (typeof value === 'string') {
    refuseUnstorable(value, path);
  } else if (typeof value === 'number' && !Number.isFinite(value)) {
    throw unacceptable(path, 'is a number beyond what can be stored');
  }
  return 0;
}

function countWithin(value: object, path: JSONPath): number {
  let fields = 0;
  // The path is one stack that is shared by the whole walk: it costs nothing until it is needed.
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      path.push(index);
      fields += countFields(item, path);
      path.pop();
    }
    return fields;
  }
  for (const [name, field] of Object.entries(value)) {
    path.push(name);
    refuseUnstorable(name, path);
    fields += 1 + countFields(field, path);
    path.pop();
  }
  return fields;
}

function refuseUnstorable(text: string, path: JSONPath): void {
  if (!text.isWellFormed()) {
    throw unacceptable(path, 'holds half of a surrogate pair');
  }
  if (text.includes('\0')) {
    throw unacceptable(path, 'holds the character NUL');
  }
}

function unacceptable(path: JSONPath, message: string): Problem {
  const fields: FieldProblem[] = [
    { path: path.join('.').toWellFormed().slice(0, MAX_PATH_LENGTH), message },
  ];
  return new Problem({
    status: 422,
    code: 'unacceptable_json',
    detail: 'The body is JSON that cannot be stored as it is. Correct the listed fields.',
    fields,
  });
}

function findRepeated(text: string): JSONPath {
  const openObjects: Set<string>[] = [];
  let repeated: JSONPath | undefined;
  visit(text, {
    onObjectBegin: () => {
      openObjects.push(new Set());
    },
    onObjectProperty: (name, ...[, , , , pathOfObject]) => {
      const seen = openObjects.at(-1);
      if (repeated === undefined && seen?.has(name) === true) {
        repeated = [...pathOfObject(), name];
      }
      seen?.add(name);
    },
    onObjectEnd: () => {
      openObjects.pop();
    },
  });
  return repeated ?? [];
}

function pathOfEnd(text: string): JSONPath {
  let last: JSONPath = [];
  const enter = (...[, , , , path]: [number, number, number, number, () => JSONPath]): void => {
    last = path();
  };
  visit(text, { onObjectBegin: enter, onArrayBegin: enter });
  return last;
}

function placeOfError(text: string): string {
  const errors: ParseError[] = [];
  parseTolerantly(text, errors, { disallowComments: true });
  const before = text.slice(0, errors[0]?.offset ?? text.length).split('\n');
  return `in line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
