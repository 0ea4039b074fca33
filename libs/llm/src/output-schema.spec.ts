import { describe, expect, it } from '@jest/globals';
import { type Problem } from '@soma/kernel';
import type { JsonSchema } from './model-request.ts';
import { compileOutputSchema, repairMessages } from './output-schema.ts';

const person = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    tags: { type: 'array', items: { enum: ['a', 'b'] } },
  },
  required: ['name'],
  additionalProperties: false,
};

describe('An output schema', () => {
  it('passes a valid answer on as its value, also from a code fence', () => {
    const validate = compileOutputSchema(person);

    expect(validate('{"name":"Ada"}')).toEqual({ ok: true, value: { name: 'Ada' } });
    expect(validate('```json\n{"name":"Ada"}\n```')).toEqual({ ok: true, value: { name: 'Ada' } });
  });

  it('names the place of every fault', () => {
    const result = compileOutputSchema(person)('{"tags":["a","c"],"age":3}');

    expect(result).toEqual({
      ok: false,
      issues: [
        { path: '', message: "must have required property 'name'" },
        { path: '', message: 'must not have the property "age"' },
        { path: 'tags.1', message: 'must be one of ["a","b"]' },
      ],
    });
  });

  it('makes a value that can be stored, whatever the model escaped', () => {
    const validate = compileOutputSchema({ type: 'object' });

    expect(validate('{"a\\u0000":{"b":["c\\u0000","\\ud800"]}}')).toEqual({
      ok: true,
      value: { 'a\ufffd': { b: ['c\ufffd', '\ufffd'] } },
    });
  });

  it('says of a text that it is not JSON', () => {
    expect(compileOutputSchema(person)('Ada')).toEqual({
      ok: false,
      issues: [{ path: '', message: 'is not JSON' }],
    });
  });

  it.each<[string, JsonSchema, string]>([
    [
      'a wrong keyword',
      { properties: { name: { type: 'text' } } },
      'output_schema.properties.name.type',
    ],
    [
      'another draft',
      { $schema: 'http://json-schema.org/draft-07/schema#' },
      'output_schema.$schema',
    ],
    ['a reference outside', { $ref: 'https://example.com/schema.json' }, 'output_schema'],
    ['a pattern that is none', { type: 'string', pattern: '(' }, 'output_schema'],
    ['more than 32 KiB', { description: 'x'.repeat(33_000) }, 'output_schema'],
  ])('refuses %s with its place', (_what, schema, path) => {
    const problem = problemOf(schema);

    expect(problem).toMatchObject({ status: 422, code: 'output_schema_invalid' });
    expect(problem?.fields?.map((field) => field.path)).toEqual([path]);
  });

  it('ends a pattern that would take for ever', () => {
    const validate = compileOutputSchema({ type: 'string', pattern: '^(a+)+$' });

    expect(validate(JSON.stringify(`${'a'.repeat(60)}!`))).toMatchObject({
      ok: false,
      issues: [{ message: expect.stringContaining('cannot be checked') }],
    });
  }, 5000);

  it('takes format for an annotation, as the standard does', () => {
    expect(compileOutputSchema({ type: 'string', format: 'email' })('"nobody"').ok).toBe(true);
  });

  it('asks for a repair with the answer and what is wrong with it', () => {
    const messages = repairMessages([{ role: 'user', content: 'Who?' }], '{}', [
      { path: 'name', message: 'is missing' },
    ]);

    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
    expect(messages.at(-1)?.content).toContain('name: is missing');
  });
});

function problemOf(schema: JsonSchema): Problem | undefined {
  try {
    compileOutputSchema(schema);
    return undefined;
  } catch (error) {
    return error as Problem;
  }
}
