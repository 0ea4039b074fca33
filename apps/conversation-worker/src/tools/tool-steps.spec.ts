import { describe, expect, it } from '@jest/globals';
import { toAwaitedCalls, toModelSteps } from './tool-steps.ts';

const lookUp = { name: 'look_up', description: '', inputSchema: {}, timeoutMs: 500 };

describe('the calls of an answer', () => {
  it('have ids of their own and the time that their tools have', () => {
    const calls = [
      { tool: 'look_up', arguments: { word: 'one' } },
      { tool: 'look_up', arguments: { word: 'one' } },
    ];

    const awaited = toAwaitedCalls(calls, [lookUp]);

    expect(awaited).toMatchObject(calls.map((call) => ({ ...call, timeoutMs: 500 })));
    expect(new Set(awaited?.map(({ call_id }) => call_id)).size).toBe(2);
  });

  it('are all refused where one is of a tool that was not offered', () => {
    const calls = ['look_up', 'made_up'].map((tool) => ({ tool, arguments: {} }));

    expect(toAwaitedCalls(calls, [lookUp])).toBeNull();
  });
});

describe('the steps that a model is told of', () => {
  const calls = ['a', 'b'].map((call_id) => ({ call_id, tool: 'look_up', arguments: {} }));

  it('have results beside their calls, in the order of the calls', () => {
    const steps = toModelSteps([
      { text: 'Let me see.', kept: 11, calls },
      { call_id: 'b', status: 'error', output: 'no' },
      { call_id: 'a', status: 'ok', output: 'yes' },
    ]);

    expect(steps).toEqual([
      {
        text: 'Let me see.',
        calls: [
          { ...calls[0], status: 'ok', output: 'yes' },
          { ...calls[1], status: 'error', output: 'no' },
        ],
      },
    ]);
  });

  it('tell of an answer that has to be made again', () => {
    const issues = [{ path: 'name', message: 'is missing' }];

    expect(toModelSteps([{ text: '{}', kept: 0, issues }])).toEqual([{ text: '{}', issues }]);
  });
});
