import { type ToolRequest, toolRequests, type ToolResult, toolResults } from '@soma/contracts';
import { until } from '@soma/testing';
import { Kafka, logLevel } from 'kafkajs';
import type { System } from './system.ts';

/** Whoever runs tools, as far as a system knows it: requests in, results out, and no tool. */
export interface Executor {
  /** The request of a session, once it is there. */
  requestOf: (sessionId: string) => Promise<ToolRequest>;
  answer: (request: ToolRequest, output: ToolResult['output']) => Promise<void>;
}

/** It is stopped by the stack. */
export async function startExecutor(
  running: AsyncDisposableStack,
  { kafka: { brokers, topicPrefix } }: System,
): Promise<Executor> {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `${topicPrefix}tool-executor` });
  const producer = kafka.producer();
  const requests: ToolRequest[] = [];
  await Promise.all([consumer.connect(), producer.connect()]);
  running.defer(() => producer.disconnect());
  running.defer(() => consumer.disconnect());
  await consumer.subscribe({ topic: topicPrefix + toolRequests.name, fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message: { value } }) => {
      requests.push(toolRequests.schema.parse(JSON.parse(value?.toString() ?? '')));
      return Promise.resolve();
    },
  });
  return {
    requestOf: (sessionId) => until(() => requests.find((each) => each.session_id === sessionId)),
    answer: async (request, output) => {
      const { tenant_id, session_id, turn_id, seq, cursor, call_id, attempt, principal } = request;
      const result: ToolResult = {
        ...{ tenant_id, session_id, turn_id, seq, cursor, call_id, attempt, principal },
        ...{ schema: toolResults.version, type: 'tool.result', status: 'ok', output },
        occurred_at: new Date().toISOString(),
      };
      await producer.send({
        topic: topicPrefix + toolResults.name,
        messages: [{ key: toolResults.key(result), value: JSON.stringify(result) }],
      });
    },
  };
}
