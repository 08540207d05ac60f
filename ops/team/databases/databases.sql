-- The databases and their roles. Safe to run again, also on what an earlier release left.
\set airflow `cat /run/secrets/airflow_db_password`
\set mlflow `cat /run/secrets/mlflow_db_password`
\set ledger_owner `cat /run/secrets/ledger_owner_password`
\set ledger `cat /run/secrets/ledger_password`
\set ledger_reader `cat /run/secrets/ledger_reader_password`

SELECT 'CREATE DATABASE ' || name FROM unnest(ARRAY['airflow', 'gatelatch', 'mlflow']) AS name
WHERE name NOT IN (SELECT datname FROM pg_database) \gexec
SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['airflow', 'mlflow', 'ledger_owner', 'ledger', 'ledger_reader']) AS name
WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec

ALTER ROLE airflow PASSWORD :'airflow';
ALTER ROLE mlflow PASSWORD :'mlflow';
ALTER ROLE ledger_owner PASSWORD :'ledger_owner';
ALTER ROLE ledger PASSWORD :'ledger';
ALTER ROLE ledger_reader PASSWORD :'ledger_reader';

-- Whoever is not named here sees none of them. `postgres` is where the superuser logs in.
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, airflow, gatelatch, mlflow FROM PUBLIC;
ALTER DATABASE airflow OWNER TO airflow;
ALTER DATABASE mlflow OWNER TO mlflow;
ALTER DATABASE gatelatch OWNER TO ledger_owner;
GRANT CONNECT ON DATABASE gatelatch TO ledger, ledger_reader;

\connect airflow
\set owner airflow
\ir owner.sql
\connect mlflow
\set owner mlflow
\ir owner.sql
-- Which rights `ledger` and `ledger_reader` have on its tables: python -m tasks init --writer --reader
\connect gatelatch
\set owner ledger_owner
\ir owner.sql
