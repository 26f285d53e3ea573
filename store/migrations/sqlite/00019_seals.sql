-- +goose Up

-- A program of level 1 can live with this: it writes no seals, and those that are
-- missing are written by the next program that does.
INSERT INTO schema_levels (migration, oldest_program) VALUES (19, 1);

-- Seals of the journal, each with the head of a hash chain over it up to a place.
CREATE TABLE seals (
    seq       INTEGER NOT NULL PRIMARY KEY CHECK (seq > follows), -- the last transaction that is sealed
    follows   INTEGER NOT NULL UNIQUE,                            -- the seal before it, 0 for none
    format    INTEGER NOT NULL,                                   -- how rows behind that one are written as bytes
    sha256    TEXT    NOT NULL,                                   -- in hexadecimal digits
    sealed_at INTEGER NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER seals_no_update BEFORE UPDATE ON seals BEGIN
    SELECT RAISE(ABORT, 'seals are insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER seals_no_delete BEFORE DELETE ON seals BEGIN
    SELECT RAISE(ABORT, 'seals are insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER seals_no_replace BEFORE INSERT ON seals
WHEN EXISTS (SELECT 1 FROM seals WHERE seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM seals WHERE follows = NEW.follows)
BEGIN
    SELECT RAISE(ABORT, 'seals are insert-only: this one would replace another');
END;
-- +goose StatementEnd
