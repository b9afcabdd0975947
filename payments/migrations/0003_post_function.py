"""`payments_post`: entries and their legs in one call, so that posting is one round trip with plans kept.

Called by `payments.ledger` alone, which prepares the arrays. Parameters that begin with `leg_` have an element
for each leg, in order of posting; the others one for each entry. It answers with the id of each new entry, and
NULL where the key was known with the same digest.

Locks are taken here in the order that `payments.ledger` documents: entry keys by key, then accounts by id. An
account is read as it is once its lock is held. Nested loops are off because the plan is kept for arrays of any
length, and one made for two legs would be quadratic for twenty thousand.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION payments_post(
    at timestamptz, public_ids uuid[], idem_keys text[], kinds text[], actor_ids bigint[], abouts text[],
    reasons text[], digests bytea[],
    leg_entries int[], leg_positions smallint[], leg_accounts bigint[], leg_units text[], leg_amounts bigint[],
    locked_accounts bigint[]
) RETURNS bigint[] LANGUAGE plpgsql SET enable_nestloop = off AS $$
DECLARE
    made bigint[];
    conflict text;
BEGIN
    WITH fresh AS (
        INSERT INTO payments_ledgerentry
            (public_id, idem_key, kind, actor_id, about, reason, digest, created_at)
        SELECT public_id, idem_key, kind, actor_id, about, reason, digest, at
        FROM unnest(public_ids, idem_keys, kinds, actor_ids, abouts, reasons, digests)
            AS spec (public_id, idem_key, kind, actor_id, about, reason, digest)
        ORDER BY idem_key COLLATE "C"
        ON CONFLICT (idem_key) DO NOTHING
        RETURNING id, idem_key
    )
    SELECT array_agg(fresh.id ORDER BY spec.turn) INTO made
    FROM unnest(idem_keys) WITH ORDINALITY AS spec (idem_key, turn) LEFT JOIN fresh USING (idem_key);

    IF array_position(made, NULL) IS NOT NULL THEN
        SELECT spec.idem_key INTO conflict
        FROM unnest(idem_keys, digests, made) AS spec (idem_key, digest, id)
            JOIN payments_ledgerentry AS known USING (idem_key)
        WHERE spec.id IS NULL AND known.digest <> spec.digest LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'key % belongs to an entry with another content', conflict
                USING ERRCODE = 'unique_violation', CONSTRAINT = 'payments_entry_idem_key', DETAIL = conflict;
        END IF;
    END IF;

    INSERT INTO payments_posting (entry_id, position, account_id, unit, amount, balance_after, version)
    SELECT made[leg.entry], leg.position, leg.account_id, leg.unit, leg.amount,
        account.balance + sum(leg.amount) OVER past, account.version + row_number() OVER past
    FROM unnest(leg_entries, leg_positions, leg_accounts, leg_units, leg_amounts)
            WITH ORDINALITY AS leg (entry, position, account_id, unit, amount, turn)
        LEFT JOIN (
            SELECT id, balance, version FROM payments_account
            WHERE id = ANY (locked_accounts) ORDER BY id FOR NO KEY UPDATE
        ) AS account ON account.id = leg.account_id
    WHERE made[leg.entry] IS NOT NULL
    WINDOW past AS (PARTITION BY leg.account_id ORDER BY leg.turn ROWS UNBOUNDED PRECEDING)
    ORDER BY leg.turn;
    RETURN made;
END $$;
"""
BACKWARD = """
DROP FUNCTION payments_post(timestamptz, uuid[], text[], text[], bigint[], text[], text[], bytea[],
    int[], smallint[], bigint[], text[], bigint[], bigint[]);
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_ledger_guards")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
