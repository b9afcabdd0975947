"""Proof that the ledger is whole: what its balances say against what its postings say.

The database's guards let nothing else happen; this finds what was done with the guards switched off, and what a
disk or a restored backup has done.
"""

from dataclasses import dataclass

from django.db import connection

MOST_DIFFERENCES = 1_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not add up: `what` is wrong of `subject`, which ought to be `expected` and is `found`."""

    what: str
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what}: {self.subject}: expected {self.expected}, found {self.found}"


# One statement sees one moment, so postings that are made meanwhile cause no false alarm.
_DIFFERENCES = """
WITH total AS (
    SELECT account_id, sum(amount) AS amount, count(*) AS postings, count(posting.version) AS numbered,
        min(posting.version) AS first, max(posting.version) AS last, count(*) FILTER (WHERE posting.unit <> account.unit) AS foreign_units
    FROM payments_posting AS posting JOIN payments_account AS account ON account.id = posting.account_id
    GROUP BY account_id
), line AS (
    SELECT account_id, version, balance_after, sum(amount) OVER past AS running
    FROM payments_posting WHERE version IS NOT NULL
    WINDOW past AS (PARTITION BY account_id ORDER BY version ROWS UNBOUNDED PRECEDING)
), wrong_line AS (
    SELECT DISTINCT ON (account_id) * FROM line WHERE balance_after <> running ORDER BY account_id, version
), low_line AS (
    SELECT DISTINCT ON (line.account_id) line.*, account.floor
    FROM line JOIN payments_account AS account ON account.id = line.account_id
    WHERE balance_after < account.floor ORDER BY line.account_id, version
)
SELECT 'balance is not the sum of the postings', code, coalesce(total.amount, 0)::text, balance::text
FROM payments_account AS account LEFT JOIN total ON total.account_id = account.id
WHERE is_materialised AND balance <> coalesce(total.amount, 0)
UNION ALL
SELECT 'version is not the number of postings', code, coalesce(postings, 0)::text, version::text
FROM payments_account AS account LEFT JOIN total ON total.account_id = account.id
WHERE is_materialised AND version <> coalesce(postings, 0)
UNION ALL
SELECT 'postings are not numbered without a gap', code, '1 to ' || postings,
    numbered || ' numbers from ' || coalesce(first::text, 'none') || ' to ' || coalesce(last::text, 'none')
FROM payments_account AS account JOIN total ON total.account_id = account.id
WHERE is_materialised AND (numbered <> postings OR first <> 1 OR last <> postings)
UNION ALL
SELECT 'account keeps no balance but its postings do', code, '0', numbered::text
FROM payments_account AS account JOIN total ON total.account_id = account.id
WHERE NOT is_materialised AND numbered > 0
UNION ALL
SELECT 'running balance is wrong', code || ' posting ' || wrong_line.version, running::text, balance_after::text
FROM wrong_line JOIN payments_account AS account ON account.id = account_id
UNION ALL
SELECT 'balance was below the floor', code || ' posting ' || low_line.version, low_line.floor || ' or more',
    balance_after::text
FROM low_line JOIN payments_account AS account ON account.id = account_id
UNION ALL
SELECT 'postings in another unit than the account', code, '0', foreign_units::text
FROM payments_account AS account JOIN total ON total.account_id = account.id WHERE foreign_units > 0
UNION ALL
SELECT 'entry does not balance', coalesce(idem_key, 'entry ' || entry_id) || ' in ' || unit, '0', sum(amount)::text
FROM payments_posting LEFT JOIN payments_ledgerentry AS entry ON entry.id = entry_id
GROUP BY entry_id, idem_key, unit HAVING sum(amount) <> 0
UNION ALL
SELECT 'legs of an entry are missing', coalesce(idem_key, 'entry ' || entry_id), '1 to ' || max(position), count(*)::text
FROM payments_posting LEFT JOIN payments_ledgerentry AS entry ON entry.id = entry_id
GROUP BY entry_id, idem_key HAVING min(position) <> 1 OR max(position) <> count(*)
UNION ALL
SELECT 'entry has no postings', idem_key, '2 or more', '0'
FROM payments_ledgerentry AS entry
WHERE NOT EXISTS (SELECT FROM payments_posting WHERE entry_id = entry.id)
UNION ALL
SELECT 'posting without its account or entry', 'posting ' || posting.id, 'both', 'not both'
FROM payments_posting AS posting
WHERE NOT EXISTS (SELECT FROM payments_account WHERE id = account_id)
    OR NOT EXISTS (SELECT FROM payments_ledgerentry WHERE id = entry_id)
LIMIT %s
"""


def check_ledger() -> list[Difference]:
    """Everything that differs, at most `MOST_DIFFERENCES`; empty when the ledger is whole."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, [MOST_DIFFERENCES])
        return [Difference(*row) for row in cursor.fetchall()]
