-- +goose Up

-- A program of level 3 can live with this; what it writes has no history.
INSERT INTO schema_levels (migration, oldest_program) VALUES (5, 3);

-- Who wrote a revision of accounts: one row for each import that became visible
-- and each PUT that changed something. NULL in at: not known.
CREATE TABLE account_changes (
    revision    BIGINT NOT NULL PRIMARY KEY,
    at          BIGINT,
    source      TEXT COLLATE "C" NOT NULL,
    actor       TEXT COLLATE "C" NOT NULL DEFAULT '',
    file        TEXT COLLATE "C" NOT NULL DEFAULT '',
    sha256      TEXT COLLATE "C" NOT NULL DEFAULT '',
    replaces    BIGINT NOT NULL DEFAULT 0 CHECK (replaces = 0 OR replaces = 1),
    customer_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    accounts    BIGINT NOT NULL DEFAULT 0,
    contracts   BIGINT NOT NULL DEFAULT 0,
    created     BIGINT NOT NULL DEFAULT 0,
    changed     BIGINT NOT NULL DEFAULT 0,
    unchanged   BIGINT NOT NULL DEFAULT 0,
    overtaken   BIGINT NOT NULL DEFAULT 0,
    closed      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX account_changes_replaces ON account_changes (revision) WHERE replaces = 1;
CREATE INDEX account_changes_customer ON account_changes (customer_id, revision) WHERE customer_id <> '';
INSERT INTO account_changes (revision, source, replaces) SELECT closed_below, 'import', 1 FROM catalogue WHERE closed_below > 0;

-- What an import of the version before closes is known to be closed by it.
-- +goose StatementBegin
CREATE FUNCTION catalogue_replaced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO account_changes (revision, source, replaces) VALUES (NEW.closed_below, 'import', 1) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER catalogue_replaced AFTER UPDATE OF closed_below ON catalogue FOR EACH ROW
    WHEN (NEW.closed_below > OLD.closed_below)
    EXECUTE FUNCTION catalogue_replaced();

-- What a revision made of an account beside its amounts and info. Of a revision
-- without a row in account_changes it was staged by an import that never became
-- visible.
CREATE TABLE account_history (
    customer_id TEXT COLLATE "C" NOT NULL,
    revision    BIGINT NOT NULL,
    events      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (customer_id, revision)
);

-- 0: not known. Servers of the version before insert without these columns.
ALTER TABLE accounts ADD COLUMN created_revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN changed_revision BIGINT NOT NULL DEFAULT 0;

CREATE TRIGGER account_changes_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account_changes
    EXECUTE FUNCTION refuse_change('the history of accounts is insert-only');
ALTER TABLE account_changes ENABLE ALWAYS TRIGGER account_changes_insert_only;
CREATE TRIGGER account_history_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account_history
    EXECUTE FUNCTION refuse_change('the history of accounts is insert-only');
ALTER TABLE account_history ENABLE ALWAYS TRIGGER account_history_insert_only;
