-- The role :owner takes over what is in this database. Until 0.2 the superuser owned all of it.
ALTER SCHEMA public OWNER TO :owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SELECT format('ALTER TABLE public.%I OWNER TO %I', tablename, :'owner') FROM pg_tables
WHERE schemaname = 'public' AND tableowner <> :'owner' \gexec
SELECT format('ALTER VIEW public.%I OWNER TO %I', viewname, :'owner') FROM pg_views
WHERE schemaname = 'public' AND viewowner <> :'owner' \gexec
-- A sequence of a column goes with its table.
SELECT format('ALTER SEQUENCE public.%I OWNER TO %I', sequencename, :'owner') FROM pg_sequences
WHERE schemaname = 'public' AND sequenceowner <> :'owner' \gexec
SELECT format('ALTER FUNCTION %s OWNER TO %I', oid::regprocedure, :'owner') FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND proowner <> :'owner'::regrole \gexec
SELECT format('ALTER TYPE public.%I OWNER TO %I', typname, :'owner') FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd') AND typowner <> :'owner'::regrole \gexec
