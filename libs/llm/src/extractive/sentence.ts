import type { ModelMessage } from '../model-request.ts';
import { COMMON_WORDS } from './cues.ts';

/** One sentence of a conversation. */
export interface Sentence {
  text: string;
  role: ModelMessage['role'];
  /** Which message it is from, and its place in the whole conversation. */
  message: number;
  position: number;
  /** Its words that carry meaning, as {@link termsOf} gives them. */
  terms: readonly string[];
  isQuestion: boolean;
}

// Unicode's own rules (UAX #29) find words and sentences in every script, also without spaces.
const SENTENCES = new Intl.Segmenter('und', { granularity: 'sentence' });
const WORDS = new Intl.Segmenter('und', { granularity: 'word' });

const LIST_MARK = /^\s*(?:[-*•>#]+|\d+[.)])\s+/u;
const QUESTION_MARK = /[?？؟]["'”’»)]*$/u;

/** The sentences of all messages, in order, each once: repetitions say nothing new. */
export function sentencesOf(messages: readonly ModelMessage[]): Sentence[] {
  const seen = new Set<string>();
  const sentences: Sentence[] = [];
  messages.forEach(({ role, content }, message) => {
    for (const text of splitSentences(content)) {
      const key = text.toLowerCase();
      if (!seen.has(key)) {
        seen.add(key);
        sentences.push({
          text,
          role,
          message,
          position: sentences.length,
          terms: termsOf(text),
          isQuestion: QUESTION_MARK.test(text),
        });
      }
    }
  });
  return sentences;
}

/** The sentences of one text. A line break ends a sentence too, as in lists. */
export function splitSentences(text: string): string[] {
  return text
    .split(/\n+/u)
    .flatMap((line) => [...SENTENCES.segment(line.replace(LIST_MARK, ''))])
    .map(({ segment }) => segment.trim())
    .filter((sentence) => sentence !== '');
}

/** The words of a text that carry meaning, folded so that forms of one word tend to meet. */
export function termsOf(text: string): string[] {
  return wordsOf(text)
    .filter((word) => !COMMON_WORDS.has(word))
    .map(fold);
}

/** All words of a text, in lower case. */
export function wordsOf(text: string): string[] {
  return [...WORDS.segment(text.normalize('NFKC').toLowerCase().replaceAll('’', "'"))]
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment }) => segment);
}

/** Pieces of a text for a stream, each a word with what follows it up to the next. */
export function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (const { segment, isWordLike } of WORDS.segment(text)) {
    const last = pieces.length - 1;
    if (isWordLike === true || last < 0) {
      pieces.push(segment);
    } else {
      pieces[last] = `${pieces[last] ?? ''}${segment}`;
    }
  }
  return pieces;
}

function fold(word: string): string {
  const bare = word
    .replace(/'s$/u, '')
    .normalize('NFD')
    .replace(/\p{M}+/gu, '');
  return bare.length > 3 ? bare.replace(/(?<!s)s$/u, '') : bare;
}
