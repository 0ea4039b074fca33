import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the gateway tells the audit log, committed with what it tells of, and who wants a new key. */
export class GatewayAuditOutbox0026 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'GatewayAuditOutbox0000000000026';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE conversation.audit_outbox (
        tenant_id text NOT NULL,
        -- Of version 7: the order of what happened.
        audit_id  uuid PRIMARY KEY,
        -- As the topic audit.events has it. Not jsonb, which refuses some of what people write.
        event     json NOT NULL
      );
      ALTER TABLE conversation.audit_outbox ENABLE ROW LEVEL SECURITY;
      ALTER TABLE conversation.audit_outbox FORCE ROW LEVEL SECURITY;
      CREATE POLICY tenant ON conversation.audit_outbox TO gateway
        USING (tenant_id = current_setting('app.current_tenant'));
      -- What is told cannot be taken back.
      GRANT INSERT ON conversation.audit_outbox TO gateway;

      GRANT SELECT, DELETE ON conversation.audit_outbox TO gateway_sweep;
      CREATE POLICY relay ON conversation.audit_outbox FOR ALL TO gateway_sweep USING (true);

      -- For the audit log. Null where an older tool asks.
      ALTER TABLE identity.key_rotations ADD COLUMN requested_by text`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
