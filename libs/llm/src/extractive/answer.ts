import type { ModelMessage, ModelRequest } from '../model-request.ts';
import { ASKS, ASKS_FOR_SUMMARY, GREETS } from './cues.ts';
import { rankByQuery } from './rank.ts';
import { type Sentence, sentencesOf, splitSentences, termsOf, wordsOf } from './sentence.ts';
import { summarise, summaryLines } from './tasks.ts';

/** What this model is, said wherever it cannot do what was asked. */
const WHO_I_AM =
  'I am local/extractive, the answering model that is built into Soma. I find and quote what stands in this conversation and summarise it; I know nothing else and write nothing new.';
const HOW_TO_GET_MORE =
  'For answers beyond it, an operator can connect a language model by setting its key, such as ANTHROPIC_API_KEY.';

/** A quote must score at least so much of the best one's score. */
const NEARLY_AS_GOOD = 0.6;
const MAX_QUOTES = 3;
/** From this share of a question's words on, a quote counts as an answer. */
const ANSWERS = 0.5;
const LONG_GREETING = 6;

/** Answers the last message from what was said before it, in the instructions, or in itself. */
export function answerLastMessage({ system, messages }: ModelRequest): string {
  const last = messages.at(-1)?.content ?? '';
  const earlier = messages.slice(0, -1);
  const asked = splitSentences(last);
  if (asked.length === 0) {
    return `Your message has no text. ${WHO_I_AM}`;
  }
  if (ASKS_FOR_SUMMARY.test(last)) {
    return summariseWhatIsMeant(asked, earlier);
  }
  if (isGreeting(asked)) {
    return `Hello. ${WHO_I_AM} Tell me something and ask me about it later, or ask for a summary.`;
  }
  const questions = asked.filter(isAsked);
  if (questions.length === 0) {
    return acknowledge(asked);
  }
  const given = asked.filter((sentence) => !isAsked(sentence)).join('\n');
  return quote(questions.join(' '), knownSentences(system, [...earlier, user(given)]));
}

function isGreeting([first = '', ...more]: string[]): boolean {
  return more.length === 0 && GREETS.test(first) && wordsOf(first).length < LONG_GREETING;
}

function isAsked(sentence: string): boolean {
  return /[?？؟]/u.test(sentence) || ASKS.test(sentence);
}

function user(content: string): ModelMessage {
  return { role: 'user', content };
}

/** A pasted text is what a summary is about; without one it is the conversation. */
function summariseWhatIsMeant(asked: string[], earlier: readonly ModelMessage[]): string {
  const pasted = asked.filter((sentence) => !ASKS_FOR_SUMMARY.test(sentence));
  if (pasted.length > 1) {
    return `The main points of your text:\n${summaryLines(sentencesOf([user(pasted.join('\n'))]))}`;
  }
  return summarise(earlier);
}

/** What may be quoted: statements, not questions. Instructions are the persona's, so said by "us". */
function knownSentences(system: string, messages: readonly ModelMessage[]): Sentence[] {
  const said = sentencesOf([{ role: 'assistant', content: system }, ...messages]);
  return said.filter(({ isQuestion, text }) => !isQuestion && !text.includes('local/extractive'));
}

function quote(question: string, known: readonly Sentence[]): string {
  const wanted = new Set(termsOf(question));
  const ranked = rankByQuery([...wanted], known);
  const best = ranked[0];
  if (!best) {
    return `I found nothing about that in this conversation. ${WHO_I_AM} ${HOW_TO_GET_MORE}`;
  }
  const quoted = ranked
    .filter(({ score }) => score >= NEARLY_AS_GOOD * best.score)
    .slice(0, MAX_QUOTES)
    .map(({ sentence }) => sentence)
    .sort((one, other) => one.position - other.position);
  const covered = new Set(best.sentence.terms.filter((term) => wanted.has(term))).size;
  return covered / wanted.size >= ANSWERS
    ? `From this conversation:\n${quoted.map(line).join('\n')}`
    : `I found no clear answer in this conversation. The nearest to it:\n${quoted.map(line).join('\n')}\n\n${HOW_TO_GET_MORE}`;
}

function line({ text, role, message }: Sentence): string {
  return `- ${text}${role === 'user' || message === 0 ? '' : ' (from an earlier answer)'}`;
}

function acknowledge(asked: string[]): string {
  const last = asked.at(-1) ?? '';
  return asked.length === 1
    ? `Noted: “${last}” Ask me about it at any time. ${WHO_I_AM}`
    : `Noted. The main points:\n${summaryLines(sentencesOf([user(asked.join('\n'))]))}\nAsk me about any of it. ${WHO_I_AM}`;
}
