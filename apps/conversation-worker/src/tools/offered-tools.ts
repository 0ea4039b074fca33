import type { ModelTool } from '@soma/llm';
import type { ClaimedTurn } from '@soma/sessions';

/** A tool that models are offered. Whoever runs it hears of its calls on `tool.requests`. */
export interface OfferedTool extends ModelTool {
  /** How long a turn waits for a result. */
  timeoutMs: number;
}

/**
 * The tools of a turn.
 *
 * The app names them in code, and names none as long as no service runs tools: a tool that is offered
 * and not run would make every turn that asks for it wait for nothing.
 */
export class OfferedTools {
  constructor(private readonly tools: readonly OfferedTool[]) {}

  /** Quick actions work on the conversation alone. */
  of({ request }: ClaimedTurn): readonly OfferedTool[] {
    return request.action === undefined ? this.tools : [];
  }
}
