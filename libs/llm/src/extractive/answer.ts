import type { ModelMessage, ModelRequest } from '../model-request.ts';
import { ASKS, ASKS_FOR_SUMMARY, GREETS, IS_INSTRUCTION } from './cues.ts';
import { HOW_TO_GET_MORE, isOwnAnswer, OPENINGS, WHO_I_AM } from './phrases.ts';
import { type Ranked, rankByQuery } from './rank.ts';
import { type Sentence, sentencesOf, splitSentences, termsOf, wordsOf } from './sentence.ts';
import { summarise, summaryLines } from './tasks.ts';

/** A quote must score at least so much of the best one's score. */
const NEARLY_AS_GOOD = 0.6;
const MAX_QUOTES = 3;
/** From this share of a question's words on, quotes count as an answer. */
const ANSWERS = 0.5;
const LONG_GREETING = 6;

/** Answers the last message from what was said before it, in the instructions, or in itself. */
export function answerLastMessage({ system, messages }: ModelRequest): string {
  const last = messages.at(-1)?.content ?? '';
  const earlier = messages.slice(0, -1).filter((message) => !isOwnAnswer(message));
  const sentences = splitSentences(last);
  if (sentences.length === 0) {
    return `${OPENINGS.noText} ${WHO_I_AM}`;
  }
  if (ASKS_FOR_SUMMARY.test(last)) {
    return summariseWhatIsMeant(sentences, earlier);
  }
  if (isGreeting(sentences)) {
    return `${OPENINGS.greeting}${WHO_I_AM.slice(WHO_I_AM.indexOf(','))} Tell me something and ask me about it later, or ask for a summary.`;
  }
  const questions = sentences.filter(isAsked);
  const given = sentences.filter((sentence) => !isAsked(sentence));
  if (questions.length === 0) {
    return acknowledge(given);
  }
  // Instructions come from the persona, and so do not count as said by the user.
  const facts = splitSentences(system).filter((sentence) => !IS_INSTRUCTION.test(sentence));
  const persona: ModelMessage = { role: 'assistant', content: facts.join('\n') };
  const known = sentencesOf([persona, ...earlier, user(given)]);
  return answerQuestion(
    questions.join(' '),
    known.filter(({ isQuestion }) => !isQuestion),
    given,
  );
}

function isGreeting([first = '', ...more]: string[]): boolean {
  return more.length === 0 && GREETS.test(first) && wordsOf(first).length < LONG_GREETING;
}

function isAsked(sentence: string): boolean {
  return /[?？؟]/u.test(sentence) || ASKS.test(sentence);
}

function user(sentences: readonly string[]): ModelMessage {
  return { role: 'user', content: sentences.join('\n') };
}

/** A pasted text is what a summary is about; without one it is the conversation. */
function summariseWhatIsMeant(asked: string[], earlier: readonly ModelMessage[]): string {
  const pasted = asked
    .map((sentence) => (ASKS_FOR_SUMMARY.test(sentence) ? afterColon(sentence) : sentence))
    .filter((sentence) => sentence !== '');
  return pasted.length > 1
    ? `${OPENINGS.pointsOfText}\n${summaryLines(sentencesOf([user(pasted)]))}`
    : summarise(earlier);
}

/** What follows in "Summarise this: …". */
function afterColon(sentence: string): string {
  return /[:：]\s*(.*)$/su.exec(sentence)?.[1] ?? '';
}

function answerQuestion(question: string, known: Sentence[], given: string[]): string {
  const wanted = new Set(termsOf(question));
  const quotes = bestOf(rankByQuery([...wanted], known));
  if (quotes.length > 0) {
    return quote(quotes, wanted);
  }
  return given.length > 0
    ? `${acknowledge(given)}\nI found no answer to your question in this conversation.`
    : `${OPENINGS.nothingFound} ${WHO_I_AM} ${HOW_TO_GET_MORE}`;
}

/** The best, and others nearly as good, in the order in which they were said. */
function bestOf(ranked: readonly Ranked[]): Sentence[] {
  const enough = NEARLY_AS_GOOD * (ranked[0]?.score ?? 0);
  return ranked
    .filter(({ score }) => score >= enough)
    .slice(0, MAX_QUOTES)
    .map(({ sentence }) => sentence)
    .sort((one, other) => one.position - other.position);
}

function quote(quotes: readonly Sentence[], wanted: ReadonlySet<string>): string {
  const found = new Set(quotes.flatMap(({ terms }) => terms.filter((term) => wanted.has(term))));
  const lines = quotes.map(({ text }) => `- ${text}`).join('\n');
  return found.size / wanted.size >= ANSWERS
    ? `${OPENINGS.found}\n${lines}`
    : `${OPENINGS.nearest}\n${lines}\n\n${WHO_I_AM} ${HOW_TO_GET_MORE}`;
}

function acknowledge(given: readonly string[]): string {
  const [first = '', ...more] = given;
  return more.length === 0
    ? `${OPENINGS.noted}: “${first}” Ask me about it at any time. ${WHO_I_AM}`
    : `${OPENINGS.noted}. The main points:\n${summaryLines(sentencesOf([user(given)]))}\nAsk me about any of it. ${WHO_I_AM}`;
}
