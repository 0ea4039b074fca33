import type { ModelMessage, ModelTask } from '../model-request.ts';
import { IS_BLOCKED, IS_DENIED, IS_DONE, IS_TO_DO } from './cues.ts';
import { isOwnAnswer, OPENINGS } from './phrases.ts';
import { rankByCentrality, topicsOf } from './rank.ts';
import { type Sentence, sentencesOf } from './sentence.ts';

const MAX_POINTS = 5;
/** Of what is too old to be told word for word. */
const MAX_KEPT_POINTS = 12;
const MAX_TOPICS = 6;

/** Does a quick action's work on a conversation. */
export function doTask(task: ModelTask, messages: readonly ModelMessage[]): string {
  switch (task) {
    case 'summarize':
      return summarise(messages);
    case 'next_steps':
      return nextSteps(messages);
    case 'status_report':
      return statusReport(messages);
  }
}

/** The sentences that most of a conversation turns around. */
export function summarise(messages: readonly ModelMessage[]): string {
  const sentences = said(messages);
  return sentences.length === 0
    ? OPENINGS.nothingSaid
    : `${OPENINGS.summary}${count(messages.length, 'message')}:\n${summaryLines(sentences)}`;
}

/** The main points of messages, and of the points of those before, as a list. */
export function extendPoints(messages: readonly ModelMessage[], earlier?: string): string {
  const points = summaryLines(said(messages), MAX_KEPT_POINTS);
  const all = [earlier, points].filter((text) => text !== undefined && text !== '').join('\n');
  return summaryLines(sentencesOf([{ role: 'user', content: all }]), MAX_KEPT_POINTS);
}

/** The most central sentences as a list, in the order in which they were said. */
export function summaryLines(sentences: readonly Sentence[], count = MAX_POINTS): string {
  const statements = sentences.filter(({ isQuestion }) => !isQuestion);
  const ranked = rankByCentrality(statements.length > 0 ? statements : sentences);
  const chosen = ranked.length > 0 ? ranked.map(({ sentence }) => sentence) : sentences;
  return lines(chosen.slice(0, count).toSorted((one, other) => one.position - other.position));
}

function nextSteps(messages: readonly ModelMessage[]): string {
  const sentences = said(messages);
  const steps = sentences.filter(isToDo).slice(-MAX_POINTS);
  const open = openQuestions(sentences, messages);
  if (steps.length === 0 && open.length === 0) {
    return sentences.length === 0 ? OPENINGS.nothingSaid : OPENINGS.noSteps;
  }
  return sections([
    [OPENINGS.steps, steps],
    [OPENINGS.openQuestions, open],
  ]);
}

function statusReport(messages: readonly ModelMessage[]): string {
  const sentences = said(messages);
  if (sentences.length === 0) {
    return OPENINGS.nothingSaid;
  }
  const asked = messages.filter(({ role }) => role === 'user').length;
  const topics = topicsOf(sentences, MAX_TOPICS);
  const about = topics.length === 0 ? '' : ` It is about: ${topics.join(', ')}.`;
  const head = `${OPENINGS.status}${count(asked, 'message')} and ${count(messages.length - asked, 'answer')}.${about}`;
  const found = sections([
    ['Done', sentences.filter(isDone).slice(-MAX_POINTS)],
    ['To do', sentences.filter(isToDo).slice(-MAX_POINTS)],
    ['In the way', sentences.filter(({ text }) => IS_BLOCKED.test(text)).slice(-MAX_POINTS)],
    [OPENINGS.openQuestions, openQuestions(sentences, messages)],
  ]);
  return found === ''
    ? `${head}\n\nThe main points:\n${summaryLines(sentences)}`
    : `${head}\n\n${found}`;
}

function said(messages: readonly ModelMessage[]): Sentence[] {
  const own = messages.map(isOwnAnswer);
  return sentencesOf(messages).filter(({ message }) => own[message] !== true);
}

function isDone({ text, isQuestion }: Sentence): boolean {
  return !isQuestion && IS_DONE.test(text) && !IS_TO_DO.test(text) && !IS_DENIED.test(text);
}

function isToDo({ text, isQuestion }: Sentence): boolean {
  return !isQuestion && IS_TO_DO.test(text);
}

/** Questions that nobody answered. */
function openQuestions(
  sentences: readonly Sentence[],
  messages: readonly ModelMessage[],
): Sentence[] {
  return sentences.filter(({ isQuestion, message }) => {
    const answer = messages[message + 1]?.content ?? OPENINGS.nothingFound;
    return isQuestion && answer.startsWith(OPENINGS.nothingFound);
  });
}

function sections(parts: (readonly [title: string, sentences: Sentence[]])[]): string {
  return parts
    .filter(([, sentences]) => sentences.length > 0)
    .map(([title, sentences]) => `${title}:\n${lines(sentences)}`)
    .join('\n\n');
}

function lines(sentences: readonly Sentence[]): string {
  return sentences.map(({ text }) => `- ${text}`).join('\n');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
