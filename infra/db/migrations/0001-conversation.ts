import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The conversation schema, which the gateway and the worker share through `libs/sessions`. */
export class Conversation0001 implements MigrationInterface {
  // TypeORM orders migrations by the 13 digits at the end of this name.
  readonly name = 'Conversation0000000000001';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(ROLES);
    await queryRunner.query(TABLES);
    await queryRunner.query(TENANT_POLICIES);
    await queryRunner.query(SWEEP_POLICIES);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}

// Roles belong to the whole server, so another database may have them already. They cannot log in
// yet: passwords belong to the deployment. A service takes its sweep role only by SET ROLE.
const ROLES = `
  DO $$
  DECLARE app text;
  BEGIN
    FOREACH app IN ARRAY ARRAY['gateway', 'conversation_worker'] LOOP
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = app) THEN
        EXECUTE format('CREATE ROLE %I', app);
      END IF;
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = app || '_sweep') THEN
        EXECUTE format('CREATE ROLE %I', app || '_sweep');
      END IF;
      IF NOT pg_has_role(app, app || '_sweep', 'SET') THEN
        EXECUTE format('GRANT %I TO %I WITH INHERIT FALSE, SET TRUE', app || '_sweep', app);
      END IF;
    END LOOP;
  END $$;
`;

const TABLES = `
  CREATE SCHEMA conversation;

  CREATE TABLE conversation.sessions (
    tenant_id  text        NOT NULL,
    session_id text        NOT NULL,
    -- The seq of the last row. Taken under this row's lock, which is held to the commit.
    last_seq   integer     NOT NULL,
    persona_id text,
    created_by text        NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- A tombstone: the id is never used again.
    deleted_at timestamptz,
    PRIMARY KEY (tenant_id, session_id)
  ) WITH (fillfactor = 70);
  CREATE INDEX sessions_by_creation ON conversation.sessions (tenant_id, created_at, session_id)
    WHERE deleted_at IS NULL;

  CREATE TABLE conversation.session_events (
    tenant_id    text        NOT NULL,
    session_id   text        NOT NULL,
    seq          integer     NOT NULL,
    event_id     text        NOT NULL,
    turn_id      text,
    type         text        NOT NULL,
    -- The event on the wire, word for word; null once it is erased.
    envelope     json,
    occurred_at  timestamptz NOT NULL,
    -- Null until Kafka has the row: the table is its own outbox.
    published_at timestamptz,
    PRIMARY KEY (tenant_id, session_id, seq)
  );
  CREATE INDEX session_events_unpublished ON conversation.session_events (occurred_at)
    WHERE published_at IS NULL;

  CREATE TABLE conversation.turns (
    tenant_id   text        NOT NULL,
    session_id  text        NOT NULL,
    -- The seq of the message that opened the turn. A session's turns run in this order.
    seq         integer     NOT NULL,
    turn_id     text        NOT NULL,
    state       text        NOT NULL
      CHECK (state IN ('pending', 'running', 'waiting', 'done', 'failed', 'cancelled')),
    -- The fence: each claim and each cancel adds one, and every write names the one it was made for.
    attempt     integer     NOT NULL DEFAULT 0,
    -- How often in a row a worker died of it. A finished step sets it back to 0.
    deaths      integer     NOT NULL DEFAULT 0,
    -- The worker that runs it; null also after a worker handed it back.
    owner       text,
    -- From when on any worker may take it; null while it is somebody else's move.
    ready_at    timestamptz,
    started_seq integer,
    accepted_at timestamptz NOT NULL,
    -- A turn's maximum age counts from here, so that waiting in a queue does not use it up.
    first_claimed_at timestamptz,
    -- W3C headers of the request's trace.
    trace_headers json,
    PRIMARY KEY (tenant_id, session_id, seq)
  ) WITH (fillfactor = 70);
  CREATE UNIQUE INDEX turns_one_at_a_time ON conversation.turns (tenant_id, session_id)
    WHERE state IN ('running', 'waiting');
  CREATE INDEX turns_unfinished ON conversation.turns (tenant_id, session_id, seq)
    WHERE state IN ('pending', 'running', 'waiting');
  CREATE INDEX turns_ready ON conversation.turns (tenant_id, ready_at) WHERE ready_at IS NOT NULL;
  CREATE INDEX turns_running ON conversation.turns (owner) WHERE state = 'running';

  -- What a turn has finished so far. A new attempt goes on after the last step.
  CREATE TABLE conversation.turn_steps (
    tenant_id  text        NOT NULL,
    session_id text        NOT NULL,
    seq        integer     NOT NULL,
    step       integer     NOT NULL,
    content    json,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, session_id, seq, step)
  );

  -- Each model call is booked once: by the worker that made it, or as lost by the next one.
  CREATE TABLE conversation.model_calls (
    tenant_id           text        NOT NULL,
    session_id          text        NOT NULL,
    turn_id             text        NOT NULL,
    attempt             integer     NOT NULL,
    outcome             text        NOT NULL CHECK (outcome IN ('finished', 'failed', 'lost')),
    model               text,
    input_tokens        integer     NOT NULL DEFAULT 0,
    output_tokens       integer     NOT NULL DEFAULT 0,
    cached_input_tokens integer     NOT NULL DEFAULT 0,
    occurred_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, turn_id, attempt)
  );

  CREATE TABLE conversation.idempotency_keys (
    tenant_id  text        NOT NULL,
    subject    text        NOT NULL,
    -- Method and path.
    operation  text        NOT NULL,
    key        text        NOT NULL,
    body_hash  text        NOT NULL,
    session_id text,
    -- Null until the transaction that wrote the row has its answer, and once it is erased.
    answer     json,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, subject, operation, key)
  );
  CREATE INDEX idempotency_keys_by_age ON conversation.idempotency_keys (created_at);
  CREATE INDEX idempotency_keys_by_session
    ON conversation.idempotency_keys (tenant_id, session_id);

  CREATE TABLE conversation.personas (
    tenant_id    text        NOT NULL,
    persona_id   text        NOT NULL,
    name         text        NOT NULL,
    instructions text        NOT NULL,
    model        text,
    temperature  float8,
    top_p        float8,
    top_k        integer,
    max_tokens   integer,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, persona_id)
  );

  CREATE TABLE conversation.stream_tickets (
    tenant_id   text        NOT NULL,
    -- SHA-256 of the ticket: who reads the table cannot use what is in it.
    ticket_hash text        NOT NULL,
    session_id  text        NOT NULL,
    principal   json        NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, ticket_hash)
  );
  CREATE INDEX stream_tickets_by_expiry ON conversation.stream_tickets (expires_at);

  -- Leases. No tenant's data is in it, so it has no row-level security.
  CREATE TABLE conversation.workers (
    worker_id  text        PRIMARY KEY,
    expires_at timestamptz NOT NULL
  );
`;

const TENANT_TABLES = [
  'sessions',
  'session_events',
  'turns',
  'turn_steps',
  'model_calls',
  'idempotency_keys',
  'personas',
  'stream_tickets',
];

const TENANT_POLICIES =
  TENANT_TABLES.map(
    (table) => `
  ALTER TABLE conversation.${table} ENABLE ROW LEVEL SECURITY;
  ALTER TABLE conversation.${table} FORCE ROW LEVEL SECURITY;
  CREATE POLICY tenant ON conversation.${table} TO gateway, conversation_worker
    USING (tenant_id = current_setting('app.current_tenant'));
  GRANT SELECT, INSERT, UPDATE, DELETE ON conversation.${table} TO gateway, conversation_worker;`,
  ).join('\n') +
  `
  GRANT USAGE ON SCHEMA conversation
    TO gateway, conversation_worker, gateway_sweep, conversation_worker_sweep;
  GRANT SELECT ON conversation.workers TO conversation_worker;
`;

// What each sweep may see and touch, over all tenants, and nothing besides.
const SWEEP_POLICIES = `
  -- The relay of both services: rows that Kafka does not have yet.
  GRANT SELECT, UPDATE (published_at) ON conversation.session_events
    TO gateway_sweep, conversation_worker_sweep;
  CREATE POLICY relay_read ON conversation.session_events FOR SELECT
    TO gateway_sweep, conversation_worker_sweep
    -- An updated row must pass this too, so rows that this transaction has marked are included.
    USING (published_at IS NULL OR published_at = now());
  CREATE POLICY relay_mark ON conversation.session_events FOR UPDATE
    TO gateway_sweep, conversation_worker_sweep
    -- Unpublished, or marked by this transaction. In these words, because with IS NULL alone the
    -- planner takes the index of unpublished rows for the few to be marked, and reads a whole backlog.
    USING (coalesce(published_at, now()) = now()) WITH CHECK (true);

  -- Streams: how far the open sessions have come.
  GRANT SELECT (tenant_id, session_id, last_seq, deleted_at) ON conversation.sessions
    TO gateway_sweep;
  CREATE POLICY stream_heads ON conversation.sessions FOR SELECT TO gateway_sweep USING (true);

  -- Retention.
  GRANT SELECT (created_at), DELETE ON conversation.idempotency_keys TO gateway_sweep;
  CREATE POLICY retention ON conversation.idempotency_keys FOR ALL TO gateway_sweep
    USING (created_at < clock_timestamp() - interval '24 hours');
  GRANT SELECT (expires_at), DELETE ON conversation.stream_tickets TO gateway_sweep;
  CREATE POLICY retention ON conversation.stream_tickets FOR ALL TO gateway_sweep
    USING (expires_at < clock_timestamp());

  -- Workers: which turns can be taken, and which run in whose name.
  GRANT SELECT ON conversation.turns TO conversation_worker_sweep;
  CREATE POLICY claims ON conversation.turns FOR SELECT TO conversation_worker_sweep
    USING (ready_at IS NOT NULL OR state IN ('pending', 'running', 'waiting'));
  GRANT SELECT, INSERT, UPDATE, DELETE ON conversation.workers TO conversation_worker_sweep;
`;
