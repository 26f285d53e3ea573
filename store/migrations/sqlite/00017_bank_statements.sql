-- +goose Up

-- A program of level 1 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (17, 1);

-- Statements of the merchant's bank accounts. Days are texts: 2026-11-29.
CREATE TABLE bank_statements (
    id          INTEGER NOT NULL PRIMARY KEY,
    bank        TEXT    NOT NULL, -- the account's name in the configuration
    account     TEXT    NOT NULL, -- its number
    currency    TEXT    NOT NULL,
    from_day    TEXT    NOT NULL,
    to_day      TEXT    NOT NULL, -- included
    opening     INTEGER NOT NULL,
    closing     INTEGER NOT NULL,
    lines       INTEGER NOT NULL,
    file        TEXT    NOT NULL,
    sha256      TEXT    NOT NULL, -- of the file
    actor       TEXT    NOT NULL,
    imported_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX bank_statements_once ON bank_statements (bank, account, from_day, to_day, opening, closing);

-- The booked lines of statements, each once, whatever statements it was in.
CREATE TABLE bank_lines (
    id                   INTEGER NOT NULL PRIMARY KEY,
    bank                 TEXT    NOT NULL,
    account              TEXT    NOT NULL,
    currency             TEXT    NOT NULL,
    day                  TEXT    NOT NULL, -- on which it was booked
    value_day            TEXT    NOT NULL, -- '' where the statement has none
    direction            TEXT    NOT NULL CHECK (direction = 'in' OR direction = 'out'),
    amount               INTEGER NOT NULL CHECK (amount > 0),
    number               TEXT    NOT NULL, -- of the document; the payer's
    reference            TEXT    NOT NULL, -- the bank's
    counterparty_account TEXT    NOT NULL,
    counterparty_name    TEXT    NOT NULL,
    counterparty_id      TEXT    NOT NULL,
    purpose_code         TEXT    NOT NULL,
    purpose              TEXT    NOT NULL,
    occurrence           INTEGER NOT NULL, -- of equal lines of its day the how-manieth
    key                  BLOB    NOT NULL, -- bankfile.Key
    sha256               TEXT    NOT NULL, -- of the first file that had it
    imported_at          INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX bank_lines_key ON bank_lines (bank, key);
CREATE INDEX bank_lines_day ON bank_lines (bank, day);
CREATE INDEX bank_lines_amount ON bank_lines (bank, amount, day);

-- Which line of a bank account is which payout. A match is in force as long as its
-- payout is a draft or posted: discarding the payout, or reversing its posting,
-- frees the line.
CREATE TABLE bank_matches (
    id     INTEGER NOT NULL PRIMARY KEY,
    payout INTEGER NOT NULL REFERENCES payouts (id),
    line   INTEGER NOT NULL REFERENCES bank_lines (id),
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    reason TEXT    NOT NULL
) STRICT;
CREATE INDEX bank_matches_payout ON bank_matches (payout);
CREATE INDEX bank_matches_line ON bank_matches (line);

-- +goose StatementBegin
CREATE TRIGGER bank_statements_no_update BEFORE UPDATE ON bank_statements BEGIN
    SELECT RAISE(ABORT, 'bank statements are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_statements_no_delete BEFORE DELETE ON bank_statements BEGIN
    SELECT RAISE(ABORT, 'bank statements are never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_statements_no_replace BEFORE INSERT ON bank_statements
WHEN EXISTS (SELECT 1 FROM bank_statements WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'bank statements are never replaced');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_lines_no_update BEFORE UPDATE ON bank_lines BEGIN
    SELECT RAISE(ABORT, 'lines of bank statements are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_lines_no_delete BEFORE DELETE ON bank_lines BEGIN
    SELECT RAISE(ABORT, 'lines of bank statements are never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_lines_no_replace BEFORE INSERT ON bank_lines
WHEN EXISTS (SELECT 1 FROM bank_lines WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'lines of bank statements are never replaced');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_matches_no_update BEFORE UPDATE ON bank_matches BEGIN
    SELECT RAISE(ABORT, 'the record of bank matches is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_matches_no_delete BEFORE DELETE ON bank_matches BEGIN
    SELECT RAISE(ABORT, 'the record of bank matches is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER bank_matches_no_replace BEFORE INSERT ON bank_matches
WHEN EXISTS (SELECT 1 FROM bank_matches WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM bank_matches m JOIN payouts o ON o.id = m.payout
        WHERE (m.line = NEW.line OR m.payout = NEW.payout) AND (o.state = 'draft' OR o.state = 'posted'))
BEGIN
    SELECT RAISE(ABORT, 'a payout is matched with one line, and a line with one payout');
END;
-- +goose StatementEnd
