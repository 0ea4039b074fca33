import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import { type ForwardedApi, withForwarded } from './forwarded-api.ts';
import type { Route } from './routes.ts';

/** What an API document says that no route does. */
export interface ApiDescription {
  title: string;
  description: string;
  /** What is served beside the controllers, such as a WebSocket, in zod-openapi's own form. */
  paths?: ZodOpenApiPathsObject;
  /** What other services serve behind this one, by their names. */
  forwarded?: Readonly<Record<string, ForwardedApi>>;
}

/** An OpenAPI 3.1 document, ready to be sent. */
export type ApiDocument = ReturnType<typeof createDocument>;

const problem = z
  .object({
    type: z.string().meta({ examples: ['urn:soma:problem:invalid_request'] }),
    title: z.string().meta({ examples: ['Bad Request'] }),
    status: z.int().meta({ examples: [400] }),
    code: z.string().meta({
      description: 'Stable name of the problem: branch on it.',
      examples: ['invalid_request'],
    }),
    detail: z.string().meta({ description: 'A sentence that a person can act on.' }),
    fields: z
      .array(
        z.object({
          path: z.string().meta({ examples: ['attachments.0'] }),
          message: z.string().meta({ examples: ['is not a known field'] }),
        }),
      )
      .optional()
      .meta({ description: 'What is wrong with which field of the request.' }),
    decision_id: z
      .string()
      .optional()
      .meta({ description: 'Of a denial: the name under which the log says why.' }),
  })
  .meta({ id: 'Problem', description: 'A failure, as RFC 9457 describes it.' });

/** Codes that a route answers because of what it is, not of what it does. */
const BODY_PROBLEMS = {
  400: ['malformed_json', 'invalid_request'],
  413: ['body_too_large'],
  415: ['unsupported_media_type'],
  422: ['unacceptable_json'],
};
const INPUT_PROBLEMS = { 400: ['invalid_request'] };
const CREDENTIAL_PROBLEMS = {
  401: ['missing_credential', 'invalid_token'],
  403: ['insufficient_scope', 'access_denied'],
  502: ['policy_unavailable', 'relationships_unavailable'],
};

/** Makes the document of a service from its routes. */
export function describeApi(
  routes: Route[],
  version: string,
  { title, description, paths = {}, forwarded = {} }: ApiDescription,
): ApiDocument {
  const described: ZodOpenApiPathsObject = { ...paths };
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    described[path] = { ...described[path], [route.method]: describeRoute(route) };
  }
  const document = createDocument({
    openapi: '3.1.0',
    info: { title, description, version },
    security: [{ bearer: [] }],
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
    paths: Object.fromEntries(Object.entries(described).sort(([a], [b]) => (a < b ? -1 : 1))),
  });
  return withForwarded(document, forwarded);
}

function describeRoute(route: Route): ZodOpenApiOperationObject {
  const { operation, body, query, parameters } = route;
  return {
    operationId: `${route.controller}_${route.handler.split('.')[1] ?? ''}`,
    tags: [route.controller],
    summary: operation.summary,
    ...(operation.description !== undefined && { description: operation.description }),
    ...(operation.public === true && { security: [] }),
    requestParams: {
      ...(route.path.includes(':') && { path: describePath(route.path, parameters) }),
      ...(query instanceof z.ZodObject && { query }),
      ...(operation.headers && { header: operation.headers }),
    },
    ...(body && { requestBody: describeBody(body, operation.bodyExample) }),
    responses: { [String(route.status)]: describeAnswer(route), ...describeProblems(route) },
  };
}

function describePath(path: string, parameters: Record<string, z.ZodType>): z.ZodObject {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  return z.object(Object.fromEntries(names.map((name) => [name, parameters[name] ?? z.string()])));
}

function describeBody(
  schema: z.ZodType,
  example: unknown,
): NonNullable<ZodOpenApiOperationObject['requestBody']> {
  return {
    required: !schema.safeParse(undefined).success,
    content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
  };
}

function describeAnswer({ status, operation }: Route): ZodOpenApiResponseObject {
  const { answer, answerType = 'application/json', answerExample: example } = operation;
  return {
    description: STATUS_CODES[status] ?? 'Answered',
    headers: z.object({ 'X-API-Version': z.string(), 'X-Request-Id': z.string() }),
    ...(answer && {
      content: { [answerType]: { schema: answer, ...(example !== undefined && { example }) } },
    }),
  };
}

function describeProblems(route: Route): Record<string, ZodOpenApiResponseObject> {
  const { operation, body, query, parameters } = route;
  const hasInput = query !== undefined || Object.keys(parameters).length > 0;
  const codes = new Map<string, Set<string>>();
  const sources = [
    body ? BODY_PROBLEMS : hasInput ? INPUT_PROBLEMS : {},
    operation.public === true ? {} : CREDENTIAL_PROBLEMS,
    operation.problems ?? {},
    { 500: ['internal_error'] },
  ];
  for (const [status, added] of sources.flatMap((source) => Object.entries(source))) {
    codes.set(status, new Set([...(codes.get(status) ?? []), ...added]));
  }
  const entries = [...codes].map(([status, names]) => {
    const description = [...names].map((name) => `\`${name}\``).join(', ');
    return [status, { description, content: { 'application/problem+json': { schema: problem } } }];
  });
  return Object.fromEntries(entries) as Record<string, ZodOpenApiResponseObject>;
}
