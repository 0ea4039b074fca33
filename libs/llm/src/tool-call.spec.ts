import { describe, expect, it } from '@jest/globals';
import { ModelFailure } from './model-failure.ts';
import { toToolCall } from './tool-call.ts';

const read = (input: string) => toToolCall({ toolName: 'look_up', input }, 'openai');

describe('a wish that a tool be called', () => {
  it('has an object of arguments, also where the model gave none', () => {
    expect(read('{"city":"Köln"}')).toEqual({ tool: 'look_up', arguments: { city: 'Köln' } });
    expect(read('').arguments).toEqual({});
  });

  it.each(['[1]', '7', 'null', '"text"', '{"city":'])('is malformed with %s', (input) => {
    expect(() => read(input)).toThrow(ModelFailure);
  });

  it('holds nothing that cannot be stored', () => {
    expect(read('{"a":["\\u0000","\\ud83d"]}').arguments).toEqual({ a: ['\u{FFFD}', '\u{FFFD}'] });
  });

  it('keeps what its provider wants to see again', () => {
    const providerMetadata = { google: { thoughtSignature: 'abc' } };

    expect(
      toToolCall({ toolName: 'look_up', input: '{}', providerMetadata }, 'gemini'),
    ).toMatchObject({ provider_options: providerMetadata });
  });
});
