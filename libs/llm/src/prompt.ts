import { schemaInstruction, taskMessage } from './instructions.ts';
import type { AnsweredCall, ModelMessage, ModelRequest, ModelStep } from './model-request.ts';
import { repairMessages } from './output-schema.ts';
import type { ProviderModel } from './providers.ts';

type Prompt = Parameters<ProviderModel['doStream']>[0]['prompt'];
type PromptMessage = Prompt[number];

/** What a provider is told: instructions, conversation, task, and what was said since. */
export function promptOf(request: ModelRequest): Prompt {
  const { messages, task, steps = [] } = request;
  const instructions = instructionsOf(request);
  const said = task === undefined ? messages : [...messages, taskMessage(task)];
  return [
    ...(instructions === '' ? [] : [{ role: 'system' as const, content: instructions }]),
    ...said.map(toPrompt),
    ...steps.flatMap(stepPrompt),
  ];
}

function instructionsOf({ system, earlier, outputSchema }: ModelRequest): string {
  return [
    ...(system === '' ? [] : [system]),
    ...(earlier === undefined ? [] : [`Earlier in this conversation:\n${earlier}`]),
    ...(outputSchema ? [schemaInstruction(outputSchema)] : []),
  ].join('\n\n');
}

function toPrompt({ role, content }: ModelMessage): PromptMessage {
  return { role, content: [{ type: 'text', text: content }] };
}

function stepPrompt(step: ModelStep): PromptMessage[] {
  if ('issues' in step) {
    return repairMessages([], step.text, step.issues).map(toPrompt);
  }
  // Some providers refuse a text of nothing but spaces.
  const text = step.text.trim() === '' ? [] : [{ type: 'text' as const, text: step.text }];
  return [
    { role: 'assistant', content: [...text, ...step.calls.map(callPart)] },
    { role: 'tool', content: step.calls.map(resultPart) },
  ];
}

function callPart({ call_id, tool, arguments: input, provider_options }: AnsweredCall) {
  return {
    type: 'tool-call' as const,
    toolCallId: call_id,
    toolName: tool,
    input,
    // By provider: what one of them wrote, the others do not read.
    ...(provider_options && {
      providerOptions: provider_options as Record<string, Record<string, never>>,
    }),
  };
}

function resultPart({ call_id, tool, status, output }: AnsweredCall) {
  return {
    type: 'tool-result' as const,
    toolCallId: call_id,
    toolName: tool,
    output:
      status === 'ok'
        ? { type: 'json' as const, value: output }
        : { type: 'error-json' as const, value: { status, output } },
  };
}
