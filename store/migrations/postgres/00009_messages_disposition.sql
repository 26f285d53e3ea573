-- +goose NO TRANSACTION
-- +goose Up

-- Messages are listed by what became of them. Nearly all were credited, repeat
-- another one or were only noted. An attempt that was interrupted is begun anew.
DROP INDEX IF EXISTS messages_disposition;
CREATE INDEX CONCURRENTLY messages_disposition ON messages (disposition, id)
    WHERE disposition <> 'credited' AND disposition <> 'repeat' AND disposition <> 'noted';

-- A program of level 3 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (9, 3);
