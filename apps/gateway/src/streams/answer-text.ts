interface Segment {
  from: number;
  text: string;
}

/**
 * What is known of a text whose pieces come in any order, more than once or not at all.
 *
 * Offsets are UTF-16 units from the text's beginning. Pieces that touch or overlap are kept as one
 * segment, so while nothing is missing there is exactly one.
 */
export class AnswerText {
  #segments: Segment[] = [];

  /** How many pieces lie apart from the others because something between them is missing. */
  get gaps(): number {
    return Math.max(0, this.#segments.length - 1);
  }

  add(from: number, text: string): void {
    let joined: Segment = { from, text };
    const apart: Segment[] = [];
    for (const segment of this.#segments) {
      if (endOf(segment) < joined.from || endOf(joined) < segment.from) {
        apart.push(segment);
      } else {
        joined = join(segment, joined);
      }
    }
    this.#segments = [...apart, joined];
  }

  /** How far the text goes on from an offset without a gap; the offset itself if nothing is known. */
  endFrom(offset: number): number {
    const segment = this.#find(offset);
    return segment === undefined ? offset : endOf(segment);
  }

  /** The text from an offset to {@link endFrom} it. */
  readFrom(offset: number): string {
    const segment = this.#find(offset);
    return segment === undefined ? '' : segment.text.slice(offset - segment.from);
  }

  #find(offset: number): Segment | undefined {
    return this.#segments.find((segment) => segment.from <= offset && offset < endOf(segment));
  }
}

function endOf(segment: Segment): number {
  return segment.from + segment.text.length;
}

/** Two segments that touch or overlap. Where they overlap they say the same. */
function join(left: Segment, right: Segment): Segment {
  const [first, second] = left.from <= right.from ? [left, right] : [right, left];
  const overlap = endOf(first) - second.from;
  return { from: first.from, text: first.text + second.text.slice(overlap) };
}
