-- +goose Up

-- A program of before can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (9, 1);

-- Messages are listed by what became of them. Nearly all were credited, repeat
-- another one or were only noted.
CREATE INDEX messages_disposition ON messages (disposition, id)
    WHERE disposition <> 'credited' AND disposition <> 'repeat' AND disposition <> 'noted';
