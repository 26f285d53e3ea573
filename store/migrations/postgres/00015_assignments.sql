-- +goose NO TRANSACTION
-- +goose Up

-- A statement of a customer's contracts has the money that was assigned to them
-- from payments of others. No callback makes an assignment. An attempt that was
-- interrupted is begun anew.
DROP INDEX IF EXISTS transactions_assignments;
CREATE INDEX CONCURRENTLY transactions_assignments ON transactions (seq, payment_id) WHERE kind = 'assignment';

-- A program of level 3 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (15, 3);
