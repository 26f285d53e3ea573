-- +goose Up

-- A program of level 1 can live with this; what it writes has no history.
INSERT INTO schema_levels (migration, oldest_program) VALUES (5, 1);

-- Who wrote a revision of accounts: one row for each import that became visible
-- and each PUT that changed something.
CREATE TABLE account_changes (
    revision    INTEGER NOT NULL PRIMARY KEY,
    at          INTEGER,                    -- when it became visible; NULL: not known
    source      TEXT    NOT NULL,           -- import, put, demo
    actor       TEXT    NOT NULL DEFAULT '', -- '': not known
    file        TEXT    NOT NULL DEFAULT '', -- of an import: its name without folders
    sha256      TEXT    NOT NULL DEFAULT '', -- of the file's bytes, in hexadecimal
    replaces    INTEGER NOT NULL DEFAULT 0 CHECK (replaces = 0 OR replaces = 1), -- 1: closed what was last written before it
    customer_id TEXT    NOT NULL DEFAULT '', -- of a PUT
    accounts    INTEGER NOT NULL DEFAULT 0,  -- in the file, and so on: what an import did
    contracts   INTEGER NOT NULL DEFAULT 0,
    created     INTEGER NOT NULL DEFAULT 0,
    changed     INTEGER NOT NULL DEFAULT 0,
    unchanged   INTEGER NOT NULL DEFAULT 0,
    overtaken   INTEGER NOT NULL DEFAULT 0,
    closed      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX account_changes_replaces ON account_changes (revision) WHERE replaces = 1;
CREATE INDEX account_changes_customer ON account_changes (customer_id, revision) WHERE customer_id <> '';
INSERT INTO account_changes (revision, source, replaces) SELECT closed_below, 'import', 1 FROM catalogue WHERE closed_below > 0;

-- What an older program's import closes is known to be closed by it.
-- +goose StatementBegin
CREATE TRIGGER catalogue_replaced AFTER UPDATE OF closed_below ON catalogue
WHEN NEW.closed_below > OLD.closed_below AND NOT EXISTS (SELECT 1 FROM account_changes WHERE revision = NEW.closed_below)
BEGIN
    INSERT INTO account_changes (revision, source, replaces) VALUES (NEW.closed_below, 'import', 1);
END;
-- +goose StatementEnd

-- What a revision made of an account beside its amounts and info: closed,
-- reopened, its contracts. Of a revision without a row in account_changes it was
-- staged by an import that never became visible.
CREATE TABLE account_history (
    customer_id TEXT    NOT NULL,
    revision    INTEGER NOT NULL,
    events      TEXT    NOT NULL, -- JSON: [{"what":"contract_closed","entity_id":"e1"}]
    PRIMARY KEY (customer_id, revision)
) STRICT, WITHOUT ROWID;

-- The revisions that created an account and last changed it; 0: not known. A
-- record is also written anew without being changed.
ALTER TABLE accounts ADD COLUMN created_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN changed_revision INTEGER NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE TRIGGER account_changes_no_update BEFORE UPDATE ON account_changes BEGIN
    SELECT RAISE(ABORT, 'the history of accounts is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER account_changes_no_delete BEFORE DELETE ON account_changes BEGIN
    SELECT RAISE(ABORT, 'the history of accounts is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER account_changes_no_replace BEFORE INSERT ON account_changes
WHEN EXISTS (SELECT 1 FROM account_changes WHERE revision = NEW.revision)
BEGIN
    SELECT RAISE(ABORT, 'the history of accounts is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER account_history_no_update BEFORE UPDATE ON account_history BEGIN
    SELECT RAISE(ABORT, 'the history of accounts is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER account_history_no_delete BEFORE DELETE ON account_history BEGIN
    SELECT RAISE(ABORT, 'the history of accounts is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER account_history_no_replace BEFORE INSERT ON account_history
WHEN EXISTS (SELECT 1 FROM account_history WHERE customer_id = NEW.customer_id AND revision = NEW.revision)
BEGIN
    SELECT RAISE(ABORT, 'the history of accounts is insert-only');
END;
-- +goose StatementEnd
