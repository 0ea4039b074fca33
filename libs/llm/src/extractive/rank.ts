import type { Sentence } from './sentence.ts';

/** A sentence and how well it fits; higher is better. */
export interface Ranked {
  sentence: Sentence;
  score: number;
}

// The usual constants of Okapi BM25.
const TERM_SATURATION = 1.2;
const LENGTH_WEIGHT = 0.75;

// TextRank (Mihalcea and Tarau, 2004): the damping of PageRank, and rounds enough to settle.
const DAMPING = 0.85;
const ROUNDS = 30;
/** The comparison of every sentence with every other is bounded; the newest are kept. */
const MAX_COMPARED = 200;

/** The sentences that have words in common with a query, the best first (Okapi BM25). */
export function rankByQuery(query: readonly string[], sentences: readonly Sentence[]): Ranked[] {
  const wanted = [...new Set(query)];
  const averageLength = mean(sentences.map(({ terms }) => terms.length));
  const rarity = new Map(wanted.map((term) => [term, inverseFrequency(term, sentences)]));
  return sentences
    .map((sentence) => {
      const length = 1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * sentence.terms.length) / averageLength;
      const score = wanted.reduce((sum, term) => {
        const count = sentence.terms.filter((each) => each === term).length;
        const weight = (count * (TERM_SATURATION + 1)) / (count + TERM_SATURATION * length);
        return sum + (count === 0 ? 0 : (rarity.get(term) ?? 0) * weight);
      }, 0);
      return { sentence, score };
    })
    .filter(({ score }) => score > 0)
    .sort(byScore);
}

/** The sentences that most others speak of too, the most central first (TextRank). */
export function rankByCentrality(sentences: readonly Sentence[]): Ranked[] {
  const compared = sentences.filter(({ terms }) => terms.length > 0).slice(-MAX_COMPARED);
  const termSets = compared.map(({ terms }) => new Set(terms));
  const links = termSets.map((one) => termSets.map((other) => similarity(one, other)));
  const shares = links.map((row) => {
    const total = row.reduce((sum, link) => sum + link, 0);
    return row.map((link) => (total === 0 ? 0 : link / total));
  });
  let scores = compared.map(() => 1);
  for (let round = 0; round < ROUNDS; round++) {
    const next = compared.map(() => 1 - DAMPING);
    shares.forEach((row, from) => {
      const given = DAMPING * (scores[from] ?? 0);
      row.forEach((share, to) => {
        next[to] = (next[to] ?? 0) + given * share;
      });
    });
    scores = next;
  }
  return compared.map((sentence, at) => ({ sentence, score: scores[at] ?? 0 })).sort(byScore);
}

/** The words that a conversation is about, the most used first. */
export function topicsOf(sentences: readonly Sentence[], count: number): string[] {
  const uses = new Map<string, number>();
  for (const term of sentences.flatMap(({ terms }) => [...new Set(terms)])) {
    uses.set(term, (uses.get(term) ?? 0) + 1);
  }
  return [...uses]
    .filter(([term, times]) => times > 1 && !/^\p{N}+$/u.test(term))
    .sort(([, one], [, other]) => other - one)
    .slice(0, count)
    .map(([term]) => term);
}

function similarity(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  if (one === other) {
    return 0;
  }
  let common = 0;
  for (const term of one) {
    common += other.has(term) ? 1 : 0;
  }
  return common / (Math.log(one.size + 1) + Math.log(other.size + 1));
}

function inverseFrequency(term: string, sentences: readonly Sentence[]): number {
  const having = sentences.filter(({ terms }) => terms.includes(term)).length;
  return Math.log(1 + (sentences.length - having + 0.5) / (having + 0.5));
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / Math.max(1, numbers.length) || 1;
}

/** Ties go to the earlier sentence, so that the same conversation always has the same answer. */
function byScore(one: Ranked, other: Ranked): number {
  return other.score - one.score || one.sentence.position - other.sentence.position;
}
