"""The outbox: 100,000 recipients into deliveries against the bare statement, and 2,000 mails over SMTP.

`python -m benchmarks.bench_outbox`. The peer of the expansion is one `INSERT … SELECT` of the same rows into the same
table with the same indexes: no pages, no cursor, no counting. The peer of sending is Django's SMTP backend with
mails that are already rendered: no database, no states. Both run in a scratch database that is dropped at the end,
alternating, and the medians are compared. The SMTP server is a stub in a process of its own, on loopback.
"""

import datetime as dt
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from benchmarks.figures import show, spread
from benchmarks.scratch import scratch_database

PEOPLE = 100_000
MAILS = 2_000
ROUNDS = 3
NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
TEXT = "Hello {{ name }},\n\nthe draw {{ draw }} is over. See {{ site_url }}/draws/{{ code }}/ for all winners.\n"

_PEOPLE = """
INSERT INTO accounts_user (public_id, email, display_name, password, time_zone, language, phone, country,
    shows_name, accepts_promotions, is_staff, is_superuser, is_active, date_joined)
SELECT gen_random_uuid(), 'person' || n || '@example.com', 'Person ' || n, '', 'Africa/Nairobi', 'en', '', 'KE',
    false, true, false, false, true, now() FROM generate_series(1, %s) AS n
"""
_BARE = """
INSERT INTO notifications_delivery (message_id, recipient_key, member_id, channel, address, name, language, time_zone,
    params, state, skip_reason, attempts, lost_answers, next_attempt_at, provider_id, provider_code, provider_text,
    created_at, handed_at)
SELECT %s, 'member:' || id, id, 'in_app', '', display_name, language, time_zone,
    jsonb_build_object('code', id), 'delivered', '', 0, 0, now(), '', '', '', now(), now()
FROM accounts_user
"""


def main() -> None:
    """Run all of it and print the figures."""
    with scratch_database("outbox") as address, tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = address
        try:
            _prepare(Path(folder))
            _report_expansion()
            _report_sending()
        finally:
            _disconnect()


def _report_expansion() -> None:
    from notifications.models import Delivery

    ours, bare = [], []
    for number in range(ROUNDS):
        bare.append(_seconds(_expand_bare, number))
        ours.append(_seconds(_expand_ours, "bench.inbox", number))
    assert Delivery.objects.count() == PEOPLE
    both = [_seconds(_expand_ours, "bench.both", number) for number in range(ROUNDS)]
    mine, peer = statistics.median(ours), statistics.median(bare)
    what = f"{PEOPLE:,} inbox deliveries, s"
    show(what, ours=spread(ours, ".2f"), value=mine, at_most=2)
    show(
        f"{what}, bare INSERT … SELECT",
        ours=f"{mine:.2f}",
        peer=spread(bare, ".2f"),
        ratio=mine / peer,
        at_most=1.5,
    )
    show(f"{PEOPLE:,} recipients by inbox and mail, s", ours=spread(both, ".2f"))


def _report_sending() -> None:
    ours, bare = [], []
    with _smtp_server() as port:
        _use(port)
        for number in range(ROUNDS):
            bare.append(MAILS / _seconds(_send_bare, number))
            ours.append(MAILS / _seconds(_send_ours, number, before=_queue))
    ratio = statistics.median(ours) / statistics.median(bare)
    what = f"mails a second, one worker, {MAILS:,} over SMTP"
    show(f"{what}, Django alone", ours=spread(ours), peer=spread(bare), ratio=ratio)


def _expand_ours(kind: str, number: int) -> None:
    from notifications import services

    services.notify(
        kind=kind,
        about="bench.draw:1",
        context={"draw": "Spring"},
        idem_key=f"{kind}:{number}",
        not_before=NOW,
        recipients=None,
        now=NOW,
    )
    added = services.expand_due_messages(now=NOW)
    assert added == PEOPLE, added


def _expand_bare(number: int) -> None:
    with closing(psycopg.connect(os.environ["DATABASE_URL"])) as connection:
        connection.execute(_BARE, [1_000_000 + number])
        connection.commit()


def _queue(number: int) -> None:
    from notifications import services
    from notifications.services import Recipient

    for part in range(MAILS // 1_000):
        services.notify(
            kind="bench.both",
            about="bench.draw:1",
            context={"draw": "Spring"},
            idem_key=f"mail:{number}:{part}",
            not_before=NOW,
            recipients=[
                Recipient(address=f"r{part}x{at}@example.com", name="Asha Kamau", params={"code": at})
                for at in range(1_000)
            ],
            now=NOW,
        )


def _send_ours(number: int) -> None:
    from notifications import services

    sent = services.process_notifications(now=NOW, limit=MAILS)
    assert (sent.processed, sent.failed) == (MAILS, 0), sent


def _send_bare(number: int) -> None:
    from django.core.mail import EmailMultiAlternatives, get_connection

    mails = []
    for at in range(MAILS):
        mail = EmailMultiAlternatives("The draw is over", TEXT, to=[f"Asha Kamau <b{at}@example.com>"])
        mail.attach_alternative(f"<p>{TEXT}</p>", "text/html")
        mails.append(mail)
    assert get_connection().send_messages(mails) == MAILS


def _seconds(
    work: Callable[..., None], *arguments: object, before: Callable[[int], None] | None = None
) -> float:
    """Seconds of `work`, beginning with an empty table."""
    with closing(psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)) as connection:
        connection.execute("TRUNCATE notifications_delivery")
    if before is not None:
        before(int(str(arguments[-1])))
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def _prepare(folder: Path) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.template import engines

    from accounts.models import User
    from notifications import kinds
    from notifications.kinds import Category, Channel, Kind, Reach
    from notifications.recipients import members

    call_command("migrate", verbosity=0)
    with closing(psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)) as connection:
        connection.execute(_PEOPLE, [PEOPLE])
        connection.execute("VACUUM ANALYZE accounts_user")
    engines["django"].engine.dirs.append(folder)
    (folder / "notifications").mkdir()
    everyone = {Channel.IN_APP: Reach.EVERYONE}
    for name, channels in (
        ("bench.inbox", everyone),
        ("bench.both", {**everyone, Channel.EMAIL: Reach.EVERYONE}),
    ):
        kinds.register(
            Kind(
                name=name,
                title=name,
                category=Category.SERVICE,
                channels=channels,
                variables={"draw": str},
                params={"code": int},
                recipients=lambda message: members(User.objects.all(), params={"code": "pk"}),
            )
        )
        (folder / "notifications" / f"{name}.subject.txt").write_text("The draw {{ draw }} is over")
        (folder / "notifications" / f"{name}.txt").write_text(TEXT)


@contextmanager
def _smtp_server() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.fakes.smtp"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield int(server.stdout.readline())
        server.stdin.close()


def _use(port: int) -> None:
    from django.conf import settings

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port


def _disconnect() -> None:
    from django.db import connections

    connections.close_all()


if __name__ == "__main__":
    main()
