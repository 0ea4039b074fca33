import { describe, expect, it } from '@jest/globals';
import { Problem } from '@soma/kernel';
import fc from 'fast-check';
import { MAX_NESTING, parseStrictJson } from './strict-json.ts';

function refusal(text: string): unknown {
  try {
    parseStrictJson(text);
  } catch (error) {
    return error instanceof Problem ? { status: error.status, fields: error.fields } : error;
  }
  return 'accepted';
}

const at = (path: string, message: string) => ({ status: 422, fields: [{ path, message }] });
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

/** JSON that a client may well send: well-formed text, no NUL, fields once. */
const acceptable = fc.jsonValue({ maxDepth: 5, stringUnit: 'grapheme' }).map((value) => {
  const text = JSON.stringify(value).replaceAll(String.raw`\u0000`, '');
  return { text, value: JSON.parse(text) as unknown };
});

describe('parseStrictJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(acceptable, ({ text, value }) => {
        expect(parseStrictJson(text)).toEqual(value);
      }),
    );
  });

  it('reads any string whatever it looks like', () => {
    const looks = fc.string({
      unit: fc.constantFrom('"', '\\', ':', '{', '[', '}', ',', 'é', '😀'),
    });
    fc.assert(
      fc.property(looks, looks, (name, value) => {
        const text = JSON.stringify([{ [name]: value }, value]);
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses a field that is repeated anywhere, with its path', () => {
    const name = fc.string({ unit: 'grapheme-ascii', minLength: 1 });
    fc.assert(
      fc.property(name, acceptable, acceptable, (field, first, second) => {
        const key = JSON.stringify(field);
        const text = `{"a":[0,{"before":1,${key}:${first.text},"z":2,${key}:${second.text}}]}`;
        fc.pre(field !== 'before' && field !== 'z');
        expect(refusal(text)).toEqual(at(`a.1.${field}`.slice(0, 256), 'is given twice'));
      }),
    );
  });

  it.each([
    ['escaped', '{"a":1,"\\u0061":2}', 'a'],
    ['__proto__', '{"__proto__":1,"__proto__":2}', '__proto__'],
    ['in an object that is itself overwritten', '{"b":{"c":1,"c":2},"b":3}', 'b.c'],
  ])('refuses a repeated field that is %s', (_what, text, path) => {
    expect(refusal(text)).toEqual(at(path, 'is given twice'));
  });

  it('leaves the same field in different objects alone', () => {
    expect(parseStrictJson('[{"a":{"a":1}},{"a":2}]')).toEqual([{ a: { a: 1 } }, { a: 2 }]);
  });

  it('reads __proto__ as a field like any other', () => {
    const value = parseStrictJson('{"__proto__":{"isAdmin":true}}') as Record<string, unknown>;

    expect(value['isAdmin']).toBeUndefined();
    expect(Object.keys(value)).toEqual(['__proto__']);
  });

  it('refuses halves of surrogate pairs and NUL, in values and in names', () => {
    expect(refusal('{"a":["x","\\ud83d"]}')).toEqual(at('a.1', 'holds half of a surrogate pair'));
    expect(refusal('{"a":"\\ude00\\ud83d"}')).toEqual(at('a', 'holds half of a surrogate pair'));
    expect(refusal('{"a":{"b":"x\\u0000y"}}')).toEqual(at('a.b', 'holds the character NUL'));
    expect(refusal('{"n\\u0000":1}')).toEqual(at('n\0', 'holds the character NUL'));
    expect(refusal('{"\\ud83d":1}')).toEqual(at('\ufffd', 'holds half of a surrogate pair'));
    expect(parseStrictJson('"\\ud83d\\ude00"')).toBe('😀');
  });

  it('refuses numbers that cannot be stored', () => {
    expect(refusal('{"a":1e999}')).toEqual(at('a', 'is a number beyond what can be stored'));
    expect(refusal('{"a":NaN}')).toMatchObject({ status: 400 });
  });

  it('reads nesting up to its limit and no deeper, however deep', () => {
    expect(parseStrictJson(nested(MAX_NESTING))).toEqual(JSON.parse(nested(MAX_NESTING)));
    for (const levels of [MAX_NESTING + 1, 200_000]) {
      expect(refusal(`{"a":${nested(levels)}}`)).toMatchObject({
        status: 422,
        fields: [{ path: `a${'.0'.repeat(MAX_NESTING - 2)}` }],
      });
    }
  });

  it('says where the text stops being JSON', () => {
    const read = () => parseStrictJson('{\n  "a": 1,\n  b: 2\n}');

    expect(read).toThrow('in line 3, column 3');
    for (const text of ['', '{', '[1,]', '{"a":1}}', "{'a':1}", '// no', '{"a" 1}', '"\\x"', '"']) {
      expect(refusal(text)).toMatchObject({ status: 400 });
    }
  });

  it('refuses or reads any text at all, and never breaks', () => {
    const text = fc.string({
      unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', 'u', '0', 'd', '-', '.', ' '),
      maxLength: 60,
    });
    fc.assert(
      fc.property(text, (input) => {
        expect(refusal(input)).not.toBeInstanceOf(Error);
      }),
    );
  });
});
