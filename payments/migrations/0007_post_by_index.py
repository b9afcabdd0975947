"""`payments_post` and the posting trigger again, so that a posting costs the same however much there is already.

The first versions joined the tables of accounts and of entries with nested loops switched off, and so read all of
the accounts for each posting (15 ms with 100,000 of them), and all entries for a repeated key. Now:

* What is read of a table is found through its index, by a key or by an array of keys. Scans are switched off,
  since a plan is kept, and one made while a table has three pages would go on scanning it when it has more.
* Joins are between what the call itself brought (arrays, the rows just inserted, the accounts just locked).
  Nested loops stay off for these: they would be quadratic for twenty thousand legs.
* One entry, which is nearly every call, needs no join to find its id.
* The trigger reads the inserted rows once to see that entries balance and are whole, and moves accounts one
  by one, by id, which is also the order of locking.

What is guaranteed and what is refused is as before, with the same constraint names.
"""

from importlib import import_module

from django.db import migrations

POST = """
CREATE OR REPLACE FUNCTION payments_post(
    at timestamptz, public_ids uuid[], idem_keys text[], kinds text[], actor_ids bigint[], abouts text[],
    reasons text[], digests bytea[],
    leg_entries int[], leg_positions smallint[], leg_accounts bigint[], leg_units text[], leg_amounts bigint[],
    locked_accounts bigint[]
) RETURNS bigint[] LANGUAGE plpgsql SET enable_seqscan = off SET enable_nestloop = off AS $$
DECLARE
    made bigint[];
    one bigint;
    conflict text;
BEGIN
    IF cardinality(idem_keys) = 1 THEN
        INSERT INTO payments_ledgerentry
            (public_id, idem_key, kind, actor_id, about, reason, digest, created_at)
        VALUES (public_ids[1], idem_keys[1], kinds[1], actor_ids[1], abouts[1], reasons[1], digests[1], at)
        ON CONFLICT (idem_key) DO NOTHING
        RETURNING id INTO one;
        made := ARRAY[one];
    ELSE
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
    END IF;

    IF array_position(made, NULL) IS NOT NULL THEN
        SELECT spec.idem_key INTO conflict
        FROM unnest(idem_keys, digests) AS spec (idem_key, digest)
            JOIN (
                SELECT idem_key, digest FROM payments_ledgerentry WHERE idem_key = ANY (idem_keys) OFFSET 0
            ) AS known ON known.idem_key = spec.idem_key
        WHERE known.digest <> spec.digest LIMIT 1;
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
TRIGGER = """
CREATE OR REPLACE FUNCTION payments_posting_inserted() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    wrong record;
    move record;
BEGIN
    -- Legs that arrive in one statement are 1…n; a later leg would have to repeat a position, which is unique.
    SELECT entry_id, (array_agg(unit) FILTER (WHERE total <> 0))[1] AS unit,
        (array_agg(total) FILTER (WHERE total <> 0))[1] AS total
    INTO wrong
    FROM (
        SELECT entry_id, unit, sum(amount) AS total, count(*) AS legs,
            min(position) AS lowest, max(position) AS highest
        FROM inserted GROUP BY entry_id, unit
    ) AS side
    GROUP BY entry_id
    HAVING bool_or(total <> 0) OR min(lowest) <> 1 OR max(highest) <> sum(legs) LIMIT 1;
    IF FOUND AND wrong.unit IS NOT NULL THEN
        RAISE EXCEPTION 'entry % does not balance: its % sum to %', wrong.entry_id, wrong.unit, wrong.total
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_posting_balanced';
    ELSIF FOUND THEN
        RAISE EXCEPTION 'the legs of entry % are not inserted together, numbered from 1', wrong.entry_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_posting_all_at_once';
    END IF;

    -- What an account held before each of its postings is the same for all of them, if they run on rightly.
    FOR move IN
        SELECT account_id, count(version) AS versions, count(*) AS postings, sum(amount) AS total,
            min(balance_after) AS lowest,
            min(version_before) AS version_before, max(version_before) AS same_version,
            min(balance_before) AS balance_before, max(balance_before) AS same_balance
        FROM (
            SELECT account_id, amount, balance_after, version,
                version - row_number() OVER past AS version_before,
                balance_after - sum(amount) OVER past AS balance_before
            FROM inserted
            WINDOW past AS (PARTITION BY account_id ORDER BY version, id ROWS UNBOUNDED PRECEDING)
        ) AS line
        GROUP BY account_id ORDER BY account_id
    LOOP
        IF move.versions = 0 THEN
            SELECT code INTO wrong FROM payments_account WHERE id = move.account_id AND is_materialised;
            IF FOUND THEN
                RAISE EXCEPTION 'account % keeps a balance: its postings need a version', wrong.code
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_posting_runs_on';
            END IF;
            CONTINUE;
        END IF;
        UPDATE payments_account AS account
        SET balance = account.balance + move.total, version = account.version + move.postings
        WHERE account.id = move.account_id AND account.is_materialised AND move.versions = move.postings
            AND account.version = move.version_before AND account.version = move.same_version
            AND account.balance = move.balance_before AND account.balance = move.same_balance
            AND (account.floor IS NULL OR move.lowest >= account.floor);
        IF NOT FOUND THEN
            SELECT account.code, posting.balance_after - posting.amount AS held, -posting.amount AS needed
            INTO wrong
            FROM inserted AS posting, LATERAL (
                SELECT code, floor FROM payments_account
                WHERE id = posting.account_id AND is_materialised OFFSET 0
            ) AS account
            WHERE posting.balance_after < account.floor
            ORDER BY posting.id LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'account % holds % and % are needed', wrong.code, wrong.held, wrong.needed
                    USING ERRCODE = 'check_violation', TABLE = 'payments_account',
                        CONSTRAINT = 'payments_account_floor',
                        DETAIL = json_build_object(
                            'account', wrong.code, 'balance', wrong.held, 'needed', wrong.needed)::text;
            END IF;
            RAISE EXCEPTION 'postings do not run on from the version and the balance of their account'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payments_posting_runs_on';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
"""


def _first_version(migration: str, function: str) -> str:
    """The statement by which an earlier migration made `function`, as one that puts it back."""
    text = import_module(f"payments.migrations.{migration}").FORWARD
    begin = text.index(f"CREATE FUNCTION {function}(")
    end = text.index("END $$;", begin) + len("END $$;")
    return text[begin:end].replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_approval_guards")]
    operations = [
        migrations.RunSQL(POST, _first_version("0003_post_function", "payments_post")),
        migrations.RunSQL(TRIGGER, _first_version("0002_ledger_guards", "payments_posting_inserted")),
    ]
