import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What is too old to be told word for word, and what it cost to summarise it. */
export class SessionSummaries0022 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'SessionSummaries0000000000022';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE conversation.session_summaries (
        tenant_id   text    NOT NULL,
        session_id  text    NOT NULL,
        -- The seq of a message: all turns up to the one that it opened are covered, with their answers.
        through_seq integer NOT NULL,
        summary     text    NOT NULL,
        PRIMARY KEY (tenant_id, session_id)
      );
      ALTER TABLE conversation.session_summaries ENABLE ROW LEVEL SECURITY;
      ALTER TABLE conversation.session_summaries FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON conversation.session_summaries TO gateway, conversation_worker
        USING (tenant_id = current_setting('app.current_tenant'));
      GRANT SELECT, INSERT, UPDATE ON conversation.session_summaries TO conversation_worker;
      -- A deletion of a session.
      GRANT SELECT, DELETE ON conversation.session_summaries TO gateway;

      ALTER TABLE conversation.model_calls
        -- The through_seq of the summary that the call made; 0: it answered the turn.
        ADD COLUMN summarised_to integer NOT NULL DEFAULT 0,
        -- The provider did not count, so we did.
        ADD COLUMN estimated boolean NOT NULL DEFAULT false,
        DROP CONSTRAINT model_calls_pkey,
        ADD PRIMARY KEY (tenant_id, turn_id, attempt, summarised_to)`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
