import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, HttpCode, Module, Param, Post, Query } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';
import { createService } from '../create-service.ts';
import { describeService } from './describe-service.ts';
import { Operation, Undocumented } from './operation.decorator.ts';

const message = z.strictObject({ message: z.string().max(9) }).meta({ id: 'Message' });
const api = { title: 'Example', description: 'An example.' };

const unavailable = {
  provide: 'database',
  useFactory: () => Promise.reject(new Error('nothing may be started')),
};

@Controller(['v1/session', 'session'])
class SessionController {
  @Post(':id/message')
  @HttpCode(202)
  @Operation({
    summary: 'Send a message',
    answer: z.strictObject({ cursor: z.string() }),
    bodyExample: { message: 'Hello' },
    headers: z.object({ 'Idempotency-Key': z.string().optional() }),
    problems: { 409: ['session_deleted'], 422: ['impossible'] },
  })
  send(
    @Param('id', { schema: z.string().max(8) }) id: string,
    @Body({ schema: message }) body: unknown,
  ) {
    return { id, body };
  }

  @Get(':id/events')
  @Operation({
    summary: 'Stream',
    answer: message,
    answerType: 'text/event-stream',
    public: true,
  })
  events(@Query({ schema: z.strictObject({ cursor: z.string().optional() }) }) query: unknown) {
    return query;
  }

  @Get('internal')
  @Undocumented()
  internal() {
    return {};
  }
}

@Module({ controllers: [SessionController] })
class SessionModule {}

@Module({ controllers: [SessionController], providers: [unavailable] })
class UnavailableModule {}

@Controller('v1/forgotten')
class ForgottenController {
  @Get()
  forgotten() {
    return {};
  }
}

@Module({ controllers: [ForgottenController] })
class ForgottenModule {}

describe('the API document', () => {
  let service: NestFastifyApplication;

  beforeAll(async () => {
    service = await createService(SessionModule, { api });
    await service.listen(0, '127.0.0.1');
  });

  afterAll(() => service.close());

  async function get(path: string): Promise<Response> {
    return fetch(new URL(path, await service.getUrl()));
  }

  it('is served under both addresses, and made without starting the service', async () => {
    const served = await (await get('/v1/openapi.json')).json();

    expect(await (await get('/openapi.json')).json()).toEqual(served);
    expect(await describeService(UnavailableModule, '0.0.0', api)).toEqual(served);
  });

  it('holds exactly the documented routes', async () => {
    const { openapi, paths } = await describeService(SessionModule, '1.0.0', api);

    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths ?? {})).toEqual([
      '/v1/session/{id}/events',
      '/v1/session/{id}/message',
    ]);
  });

  it('describes a route by the schemas that check it', async () => {
    const { paths, components } = await describeService(SessionModule, '1.0.0', api);
    const operation = paths?.['/v1/session/{id}/message']?.post;

    expect(operation).toMatchObject({
      operationId: 'Session_send',
      parameters: expect.arrayContaining([
        expect.objectContaining({
          in: 'path',
          name: 'id',
          schema: { type: 'string', maxLength: 8 },
        }),
        expect.objectContaining({ in: 'header', name: 'Idempotency-Key' }),
      ]),
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: { $ref: '#/components/schemas/Message' },
            example: { message: 'Hello' },
          },
        },
      },
    });
    expect(Object.keys(operation?.responses ?? {})).toEqual(
      expect.arrayContaining(['202', '400', '401', '409', '413', '415', '422', '500']),
    );
    expect(operation?.responses?.['422']).toMatchObject({
      description: '`unacceptable_json`, `impossible`',
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    });
    expect(components?.securitySchemes).toMatchObject({ bearer: { scheme: 'bearer' } });
  });

  it('describes a stream and a route without a credential', async () => {
    const { paths } = await describeService(SessionModule, '1.0.0', api);
    const operation = paths?.['/v1/session/{id}/events']?.get;

    expect(operation).toMatchObject({
      security: [],
      responses: { '200': { content: { 'text/event-stream': {} } } },
    });
    expect(operation?.responses).not.toHaveProperty('401');
  });

  it('keeps a service from starting while a route is not described', async () => {
    await expect(createService(ForgottenModule, { api })).rejects.toThrow(
      'ForgottenController.forgotten',
    );
  });

  it('can be browsed with nothing from elsewhere and no inline script', async () => {
    const page = await get('/docs');
    const html = await page.text();
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file);

    expect(page.headers.get('content-security-policy')).toContain("script-src 'self';");
    expect(html).not.toMatch(/<script>|https?:/);
    expect(files).toHaveLength(4);
    for (const file of files) {
      const response = await get(file);
      expect(response.status).toBe(200);
      expect((await response.bytes()).length).toBeGreaterThan(100);
    }
  });
});
