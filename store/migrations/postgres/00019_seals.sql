-- +goose Up

-- A program of level 3 can live with this: it writes no seals, and those that are
-- missing are written by the next program that does.
INSERT INTO schema_levels (migration, oldest_program) VALUES (19, 3);

-- Seals of the journal, each with the head of a hash chain over it up to a place.
CREATE TABLE seals (
    seq       BIGINT NOT NULL PRIMARY KEY CHECK (seq > follows), -- the last transaction that is sealed
    follows   BIGINT NOT NULL UNIQUE,                            -- the seal before it, 0 for none
    format    BIGINT NOT NULL,                                   -- how rows behind that one are written as bytes
    sha256    TEXT COLLATE "C" NOT NULL,                         -- in hexadecimal digits
    sealed_at BIGINT NOT NULL
);
CREATE TRIGGER seals_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seals
    EXECUTE FUNCTION refuse_change('seals are insert-only');
ALTER TABLE seals ENABLE ALWAYS TRIGGER seals_insert_only;
