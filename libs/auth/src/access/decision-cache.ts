/** An answer is used no longer than this after its question was asked. */
const LIFETIME_MS = 1_000;
/** About 5 MB. Beyond it the oldest answer goes. */
const CAPACITY = 10_000;

interface Entry<Answer> {
  answer: Promise<Answer>;
  endsAt: number;
}

/**
 * Remembers answers for a moment, so that a busy caller costs one question in a second.
 *
 * Those who ask what is being asked already wait for the same answer. A failure is no answer: it
 * reaches those who wait for it, and whoever comes next asks again.
 */
export class DecisionCache<Answer> {
  private readonly entries = new Map<string, Entry<Answer>>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** @param question - All of it: what differs in anything is another question. */
  get(question: string, ask: () => Promise<Answer>): Promise<Answer> {
    const known = this.entries.get(question);
    if (known !== undefined && this.now() < known.endsAt) {
      return known.answer;
    }
    // Counted from the question: the answer may describe any moment since.
    const entry = { answer: ask(), endsAt: this.now() + LIFETIME_MS };
    this.keep(question, entry);
    entry.answer.catch(() => {
      if (this.entries.get(question) === entry) {
        this.entries.delete(question);
      }
    });
    return entry.answer;
  }

  private keep(question: string, entry: Entry<Answer>): void {
    // Last in the order of a map, so that the first is the oldest.
    this.entries.delete(question);
    const [oldest] = this.entries.keys();
    if (this.entries.size >= CAPACITY && oldest !== undefined) {
      this.entries.delete(oldest);
    }
    this.entries.set(question, entry);
  }
}
