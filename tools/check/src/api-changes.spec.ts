import { describe, expect, it } from '@jest/globals';
import { changesBetween, surfaceOf, unmentioned } from './api-changes.ts';

function documentWith(more: { text?: string; scheme?: string; path?: string } = {}): object {
  const { text = 'string', scheme = 'bearer', path = '/v1/session' } = more;
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Message' } } };
  return {
    paths: { [path]: { post: { summary: 'Says something.', requestBody: { content } } } },
    components: {
      schemas: {
        Message: {
          properties: { text: { type: text }, reply: { $ref: '#/components/schemas/Message' } },
        },
      },
      securitySchemes: { [scheme]: { type: 'http' } },
    },
  };
}
const base = surfaceOf(documentWith(), [
  [{ name: 'MODEL_BASE_URL', default: 'https://api.example.com/v1', secret: false }],
]);

function changes(document: object, settings: object[] = []): string[] {
  const common = { name: 'MODEL_BASE_URL', default: 'https://api.example.com/v1', secret: false };
  return changesBetween(base, surfaceOf(document, [[common], settings]));
}

describe('changesBetween', () => {
  it('sees nothing where nothing changed but prose', () => {
    const document = JSON.stringify(documentWith()).replace('Says something.', 'Says it better.');
    expect(changes(JSON.parse(document) as object)).toEqual([]);
  });

  it('sees a new route and one that is gone', () => {
    const moved = changes(documentWith({ path: '/v2/session' }));
    expect(moved).toEqual(['POST /v1/session', 'POST /v2/session']);
  });

  it('sees a route whose shape changed behind a reference', () => {
    expect(changes(documentWith({ text: 'number' }))).toEqual(['POST /v1/session']);
  });

  it('sees another way to sign in, a new secret and a new outbound host', () => {
    expect(changes(documentWith({ scheme: 'api_key' }))).toEqual(['api_key', 'bearer']);
    expect(changes(documentWith(), [{ name: 'PAYMENT_KEY', secret: true }])).toEqual([
      'PAYMENT_KEY',
    ]);
    const url = { name: 'PAYMENT_URL', default: 'https://pay.example.com', secret: false };
    expect(changes(documentWith(), [url])).toEqual(['pay.example.com']);
  });
});

describe('unmentioned', () => {
  it('leaves what no added line names in full', () => {
    const lines = ['- `POST /v1/session/{id}/cancel` takes a turn; calls pay.example.com.'];
    const names = ['POST /v1/session', 'POST /v1/session/{id}/cancel', 'pay.example.com', 'bearer'];
    expect(unmentioned(names, lines)).toEqual(['POST /v1/session', 'bearer']);
  });
});
