-- Makes three roles with least rights in one PostgreSQL database (13 or later). A superuser runs it with psql, first
-- before `serial-gate migrate`, and once more after it: the orchestrator's rights are on tables that exist then. It may be
-- repeated at any time, and also divides a database that one role had to itself.
--
--   psql -v ON_ERROR_STOP=1 -d gate -f docs/postgres-roles.sql
--   psql -d gate -c '\password gate_owner' -c '\password gate_service' -c '\password gate_orchestrator'
--
-- Other names: -v owner=… -v service=… -v orchestrator=… -v schema=…

\if :{?owner} \else \set owner gate_owner \endif
\if :{?service} \else \set service gate_service \endif
\if :{?orchestrator} \else \set orchestrator gate_orchestrator \endif
\if :{?schema} \else \set schema public \endif

BEGIN;

SELECT set_config('gate.owner', :'owner', true), set_config('gate.service', :'service', true),
  set_config('gate.orchestrator', :'orchestrator', true), set_config('gate.schema', :'schema', true);

-- They log in once they have a password.
DO $$
DECLARE
  role TEXT;
BEGIN
  FOREACH role IN ARRAY ARRAY[current_setting('gate.owner'), current_setting('gate.service'), current_setting('gate.orchestrator')]
  LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', role);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role);
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %I', role, current_database(), current_setting('gate.schema'));
  END LOOP;
END $$;

-- Nobody creates objects here but the owner: an object of another role's could be found in the place of one of ours.
CREATE SCHEMA IF NOT EXISTS :"schema";
REVOKE CREATE ON SCHEMA :"schema" FROM PUBLIC;
REVOKE CREATE ON SCHEMA :"schema" FROM :"service", :"orchestrator";
GRANT USAGE, CREATE ON SCHEMA :"schema" TO :"owner";
GRANT USAGE ON SCHEMA :"schema" TO :"service", :"orchestrator";

-- The owner has the tables, the orchestrator's four too: a trigger on a table runs as the role that writes to it, and only
-- the table's owner can make one. Sequences follow their tables.
DO $$
DECLARE
  thing RECORD;
  owner TEXT := current_setting('gate.owner');
  ours OID := quote_ident(current_setting('gate.schema'))::regnamespace;
BEGIN
  FOR thing IN SELECT c.oid::regclass AS name FROM pg_class c
    WHERE c.relnamespace = ours AND c.relkind IN ('r', 'p') AND pg_get_userbyid(c.relowner) <> owner
      AND (c.relname IN ('tasks', 'jobs', 'job_deps', 'repo_freeze') OR c.relname LIKE 'gate\_%')
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO %I', thing.name, owner);
  END LOOP;
  FOR thing IN SELECT p.oid::regprocedure AS name FROM pg_proc p
    WHERE p.pronamespace = ours AND pg_get_userbyid(p.proowner) <> owner
      AND (p.proname LIKE 'gate\_%' OR p.proname LIKE 'lane\_marks\_%')
  LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO %I', thing.name, owner);
  END LOOP;
END $$;

-- The service reads and writes rows, of the tables of today and of those that a later migration makes.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA :"schema" GRANT SELECT, USAGE ON SEQUENCES TO :"service";
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

DO $$
DECLARE
  thing RECORD;
  columns TEXT;
  service TEXT := current_setting('gate.service');
  orchestrator TEXT := current_setting('gate.orchestrator');
  ours OID := quote_ident(current_setting('gate.schema'))::regnamespace;
BEGIN
  FOR thing IN SELECT c.oid, c.oid::regclass AS name, c.relname FROM pg_class c
    WHERE c.relnamespace = ours AND c.relkind IN ('r', 'p')
      AND (c.relname IN ('tasks', 'jobs', 'job_deps', 'repo_freeze') OR c.relname LIKE 'gate\_%')
  LOOP
    EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, %I, %I', thing.name, service, orchestrator);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', thing.name, service);
    -- The orchestrator writes its four tables, and in them every column but ours: with gate_writes a change would pass for
    -- one of the service's, with a lease a job for one of a worker's.
    IF thing.relname NOT LIKE 'gate\_%' THEN
      SELECT string_agg(quote_ident(a.attname), ', ') INTO columns FROM pg_attribute a
        WHERE a.attrelid = thing.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attname NOT IN ('gate_writes', 'lane_state', 'paused_together', 'ready', 'lease_token', 'lease_worker',
            'lease_expires_at', 'lease_ms', 'lease_actor', 'due_ms', 'resume_ms', 'task_finished', 'progress', 'answer',
            'answered_by', 'answered_at', 'answer_told_job_id', 'base_from', 'paused_from', 'paused_to', 'told_job_id', 'told_to',
            'frozen_by', 'cleared_by');
      EXECUTE format('GRANT SELECT, DELETE, INSERT (%2$s), UPDATE (%2$s) ON %1$s TO %3$I', thing.name, columns, orchestrator);
    END IF;
  END LOOP;
  FOR thing IN SELECT s.oid::regclass AS name, c.relname FROM pg_class s
    JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.deptype IN ('a', 'i')
    JOIN pg_class c ON c.oid = d.refobjid
    WHERE s.relkind = 'S' AND c.relnamespace = ours
      AND (c.relname IN ('tasks', 'jobs', 'job_deps', 'repo_freeze') OR c.relname LIKE 'gate\_%')
  LOOP
    EXECUTE format('GRANT SELECT, USAGE ON SEQUENCE %s TO %I', thing.name, service);
    IF thing.relname NOT LIKE 'gate\_%' THEN
      EXECUTE format('GRANT SELECT, USAGE ON SEQUENCE %s TO %I', thing.name, orchestrator);
    END IF;
  END LOOP;
END $$;

COMMIT;
