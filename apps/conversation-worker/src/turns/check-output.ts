import { Injectable } from '@nestjs/common';
import type { ClaimedTurn } from '@soma/sessions';

/** One thing that is wrong with an output, and where. */
export type OutputIssue = { path: string; message: string };

/** What was made of a finished answer. */
export type OutputCheck =
  /** Nothing was asked of its form. */
  | { kind: 'free'; value: undefined }
  | { kind: 'valid'; value: NonNullable<unknown> | null }
  /** Worth one more try. */
  | { kind: 'repair'; issues: OutputIssue[] }
  | { kind: 'invalid'; issues: OutputIssue[] };

/** Holds an answer against the schema that its message asked for. */
@Injectable()
export class CheckOutput {
  execute({ request }: ClaimedTurn, _text: string): OutputCheck {
    return { kind: 'free', value: undefined };
  }
}
