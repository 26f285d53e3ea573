-- +goose NO TRANSACTION
-- +goose Up

-- Contract numbers that contain blanks, without them: people type them with
-- others, or with none. The characters are those of compactNumber in search.go.
-- An attempt that was interrupted is begun anew.
DROP INDEX IF EXISTS payments_number_compact;
CREATE INDEX CONCURRENTLY payments_number_compact ON payments (
    translate(contract_number, E'\u0020\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000', ''))
    WHERE contract_number <> translate(contract_number, E'\u0020\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000', '');

-- A program of level 3 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (7, 3);
