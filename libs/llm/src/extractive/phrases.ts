import type { ModelMessage } from '../model-request.ts';

/** How answers of this model begin, so that it can tell them from what is worth quoting. */
export const OPENINGS = {
  greeting: 'Hello. I am local/extractive',
  noted: 'Noted',
  found: 'From this conversation:',
  nearest: 'I found no clear answer in this conversation. The nearest to it:',
  nothingFound: 'I found nothing about that in this conversation.',
  noText: 'Your message has no text.',
  pointsOfText: 'The main points of your text:',
  summary: 'Summary of ',
  nothingSaid: 'Nothing has been said in this conversation yet.',
  noSteps: 'Nothing in this conversation says what is to be done next, and no question is open.',
  steps: 'Next steps that were named',
  openQuestions: 'Questions that are open',
  status: 'So far ',
} as const;

/** What this model is, said wherever it cannot do what was asked. */
export const WHO_I_AM =
  'I am local/extractive, which is built into Soma and is no language model: I find, quote and summarise what stands in this conversation, and know nothing else.';

/** What the person who asked can do about it. */
export const HOW_TO_GET_MORE =
  'For more, an operator can connect a language model by setting its key, such as ANTHROPIC_API_KEY.';

/** Whether a message is an answer of this model, which only repeats others. */
export function isOwnAnswer({ role, content }: ModelMessage): boolean {
  return role === 'assistant' && Object.values(OPENINGS).some((each) => content.startsWith(each));
}
