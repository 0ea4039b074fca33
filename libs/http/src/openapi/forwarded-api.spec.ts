import { describe, expect, it } from '@jest/globals';
import type { ApiDocument } from './document.ts';
import { forwardedPart, withForwarded } from './forwarded-api.ts';

const bearer = { type: 'http', scheme: 'bearer' } as const;

/** A document with one operation, which answers one schema. */
function documentOf(path: string, schemas: Record<string, object>): ApiDocument {
  const schema = { $ref: '#/components/schemas/Key' };
  return {
    openapi: '3.1.0',
    info: { title: 'Example', version: '1.0.0' },
    paths: {
      [path]: {
        get: {
          operationId: 'Keys_list',
          responses: { '200': { description: 'OK', content: { 'application/json': { schema } } } },
        },
      },
    },
    components: { schemas, securitySchemes: { bearer } },
  };
}

const key = { type: 'object', properties: { id: { $ref: '#/components/schemas/Id' } } };
const id = { type: 'string' };

describe('what a service forwards', () => {
  it('is cut out of a document with the schemas that it leads to, and no others', () => {
    const document = documentOf('/v1/keys', { Key: key, Id: id, Other: id });
    document.paths = { ...document.paths, '/v1/elsewhere': {} };

    const part = forwardedPart(document, (path) => path === '/v1/keys');

    expect(Object.keys(part.paths)).toEqual(['/v1/keys']);
    expect(part.schemas).toEqual({ Id: id, Key: key });
  });

  it('stands beside its own paths, in one order', () => {
    const own = documentOf('/v1/session', { Key: key, Id: id });
    const part = forwardedPart(documentOf('/v1/keys', { Key: key, Id: id }), () => true);

    const merged = withForwarded(own, { identity: part });

    expect(Object.keys(merged.paths ?? {})).toEqual(['/v1/keys', '/v1/session']);
    expect(Object.keys(merged.components?.schemas ?? {})).toEqual(['Key', 'Id']);
    expect(merged.info).toEqual(own.info);
  });

  it('goes under the name of its service where it means something else by a name', () => {
    const own = documentOf('/v1/session', { Key: { type: 'integer' }, Id: id });
    const part = forwardedPart(documentOf('/v1/keys', { Key: key, Id: id }), () => true);

    const { paths, components } = withForwarded(own, { 'tool-executor': part });

    expect(components?.schemas).toEqual({ Key: { type: 'integer' }, Id: id, ToolExecutorKey: key });
    expect(JSON.stringify(paths?.['/v1/keys'])).toContain('"#/components/schemas/ToolExecutorKey"');
    expect(paths?.['/v1/keys']?.get?.operationId).toBe('ToolExecutor_Keys_list');
    expect(paths?.['/v1/session']).toEqual(own.paths?.['/v1/session']);
  });

  it('may not mean another credential by the same name', () => {
    const part = { paths: {}, schemas: {}, securitySchemes: { bearer: { type: 'apiKey' } } };

    expect(() => withForwarded(documentOf('/', {}), { identity: part })).toThrow('"bearer"');
  });
});
