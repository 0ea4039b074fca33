import { type FieldProblem, Problem } from '@soma/kernel';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { runInNewContext } from 'node:vm';
import type { JsonSchema, ModelMessage } from './model-request.ts';
import { parseModelJson } from './model-text.ts';

/** What validating an answer found. */
export type OutputResult = { ok: true; value: unknown } | { ok: false; issues: FieldProblem[] };

/** Validates answers by one schema. */
export type OutputValidator = (answer: string) => OutputResult;

const FIELD = 'output_schema';
const MAX_SCHEMA_BYTES = 32 * 1024;
const MAX_ISSUES = 20;
const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
/** A pattern or a web of references can take for ever; it is cut off then. */
const TIME_LIMIT_MS = 500;
/** A compiler for each schema, so that no schema can see or replace another. */
const OPTIONS = {
  strict: false,
  meta: false,
  validateSchema: false,
  validateFormats: false,
  allErrors: true,
  logger: false,
} as const;
const CODE_FENCE = /^```(?:json)?\s*\n(.*)\n\s*```$/s;

/** Validates schemas themselves. */
let isSchema: ValidateFunction | undefined;

/**
 * Makes a validator of a caller's JSON Schema (2020-12). `format` is an annotation, as the standard
 * has it, and nothing outside the schema can be referred to.
 *
 * @throws A `Problem` 422 with the place in the schema that cannot be used.
 */
export function compileOutputSchema(schema: JsonSchema): OutputValidator {
  if (Buffer.byteLength(JSON.stringify(schema)) > MAX_SCHEMA_BYTES) {
    throw invalidSchema(FIELD, `must be at most ${MAX_SCHEMA_BYTES} bytes of JSON`);
  }
  if (schema['$schema'] !== undefined && schema['$schema'] !== DRAFT) {
    throw invalidSchema(`${FIELD}.$schema`, `must be absent or ${DRAFT}`);
  }
  const validate = compile(schema);
  return (answer) => {
    const parsed = parse(answer);
    return parsed.ok ? check(validate, parsed.value) : parsed;
  };
}

/**
 * The messages of the one further call that may repair an answer: the conversation, the answer that
 * is not valid, and what is wrong with it.
 */
export function repairMessages(
  messages: readonly ModelMessage[],
  answer: string,
  issues: readonly FieldProblem[],
): ModelMessage[] {
  const list = issues.map(
    ({ path, message }) => `- ${path === '' ? 'the value' : path}: ${message}`,
  );
  return [
    ...messages,
    { role: 'assistant', content: answer },
    {
      role: 'user',
      content: `That answer is not valid by the schema:\n${list.join('\n')}\nAnswer again with the corrected JSON value and nothing else.`,
    },
  ];
}

function compile(schema: JsonSchema): ValidateFunction {
  // Made once, outside the time limit: it is our own code, and slow the first time.
  isSchema ??= new Ajv2020({ strict: false, allErrors: true }).getSchema(DRAFT);
  const [fault] = bounded(() => (isSchema?.(schema) === true ? [] : (isSchema?.errors ?? [])));
  if (fault) {
    throw invalidSchema(pathOf(fault, FIELD), messageOf(fault));
  }
  try {
    return bounded(() => new Ajv2020(OPTIONS).compile(schema));
  } catch (error) {
    // What is left are references that lead nowhere and patterns that are none.
    throw invalidSchema(FIELD, error instanceof Error ? error.message : 'cannot be used');
  }
}

function check(validate: ValidateFunction, value: unknown): OutputResult {
  let issues: FieldProblem[];
  try {
    issues = bounded(() => (validate(value) ? [] : (validate.errors ?? []).map(toIssue)));
  } catch {
    issues = [{ path: '', message: `cannot be checked within ${TIME_LIMIT_MS} ms` }];
  }
  return issues.length === 0
    ? { ok: true, value }
    : { ok: false, issues: issues.slice(0, MAX_ISSUES) };
}

/** Models like to put JSON into a code fence, whatever they are told. */
function parse(answer: string): OutputResult {
  const trimmed = answer.trim();
  try {
    return { ok: true, value: parseModelJson(CODE_FENCE.exec(trimmed)?.[1] ?? trimmed) };
  } catch {
    return { ok: false, issues: [{ path: '', message: 'is not JSON' }] };
  }
}

/** Runs code that a caller's schema made, and stops it when it takes too long, also inside a pattern. */
function bounded<Result>(run: () => Result): Result {
  // The context is only there for its time limit: V8 ends what runs, wherever that came from.
  return runInNewContext('run()', { run }, { timeout: TIME_LIMIT_MS }) as Result;
}

function toIssue(error: ErrorObject): FieldProblem {
  return { path: pathOf(error), message: messageOf(error) };
}

function messageOf({ keyword, params, message = 'is not valid' }: ErrorObject): string {
  const { additionalProperty, allowedValues } = params as Record<string, unknown>;
  if (keyword === 'additionalProperties') {
    return `must not have the property "${String(additionalProperty)}"`;
  }
  return keyword === 'enum' ? `must be one of ${JSON.stringify(allowedValues)}` : message;
}

/** A JSON Pointer, as our problems write paths: `/a/0/b` becomes `a.0.b`. */
function pathOf({ instancePath }: ErrorObject, root = ''): string {
  const steps = instancePath.split('/').slice(1);
  const names = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return [root, ...names].filter((each) => each !== '').join('.');
}

function invalidSchema(path: string, message: string): Problem {
  return new Problem({
    status: 422,
    code: 'output_schema_invalid',
    detail: 'The output schema is not a JSON Schema (2020-12) that can be used.',
    fields: [{ path, message }],
  });
}
