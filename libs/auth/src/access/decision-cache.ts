import { LRUCache } from 'lru-cache';

/** An answer is used no longer than this after its question was asked: for less than a second. */
const LIFETIME_MS = 999;
/** About 5 MB. Beyond it the answer goes that was used longest ago. */
const CAPACITY = 10_000;

/**
 * Remembers answers for a moment, so that a busy caller costs one question in a second.
 *
 * Those who ask what is being asked already wait for the same answer. A failure is no answer: it
 * reaches those who wait for it, and whoever comes next asks again.
 */
export class DecisionCache<Answer> {
  readonly #answers: LRUCache<string, Promise<Answer>>;

  constructor(now: () => number = () => performance.now()) {
    this.#answers = new LRUCache({
      max: CAPACITY,
      ttl: LIFETIME_MS,
      // Else it looks at the clock once in a millisecond, by a timer.
      ttlResolution: 0,
      perf: { now },
    });
  }

  /** @param question - All of it: what differs in anything is another question. */
  get(question: string, ask: () => Promise<Answer>): Promise<Answer> {
    const known = this.#answers.get(question);
    if (known !== undefined) {
      return known;
    }
    // Counted from the question: the answer may describe any moment since.
    const answer = ask();
    this.#answers.set(question, answer);
    answer.catch(() => {
      if (this.#answers.peek(question) === answer) {
        this.#answers.delete(question);
      }
    });
    return answer;
  }
}
