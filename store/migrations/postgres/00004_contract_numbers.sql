-- +goose Up

-- A program of level 3 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (4, 3);

-- Whose contracts have, or had, a number: elsewhere a table, so that no index of
-- payments is needed for it. Here the index stays, which servers of the version
-- before search by.
CREATE VIEW contract_numbers (number, customer_id) AS
    SELECT DISTINCT contract_number, customer_id FROM payments WHERE contract_number <> '' AND customer_id <> '';
