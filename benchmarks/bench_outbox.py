"""The outbox: 100,000 recipients into deliveries against the bare statement, mails over SMTP, and by Mailgun.

`python -m benchmarks.bench_outbox`. The peer of the expansion is one `INSERT … SELECT` of the same rows into the same
table with the same indexes: no pages, no cursor, no counting. The peer of sending is Django's SMTP backend with
mails that are already rendered: no database, no states. Both run in a scratch database that is dropped at the end,
alternating, and the medians are compared. The SMTP server is a stub in a process of its own, on loopback.

By Mailgun two workers hand over 10,000 mails, and once 100,000, to a stub over HTTP. The peer is django-post_office with two processes, which
sends through anymail to the same stub, on a database of its own.
"""

import datetime as dt
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from benchmarks.figures import show, spread
from benchmarks.scratch import scratch_database

PEOPLE = 100_000
MAILS = 2_000
BY_HTTP, ALL_BY_HTTP, BY_PEER = 10_000, 100_000, 2_000
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
            _report_by_http(Path(folder))
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


def _report_by_http(folder: Path) -> None:
    ours, theirs, processor = [], [], []
    with _told("benchmarks.mailgun_stub") as (stub, port), scratch_database("post_office") as address:
        url = f"http://127.0.0.1:{port}/v3"
        environment = {
            "DATABASE_URL": address,
            "DJANGO_SETTINGS_MODULE": "benchmarks.post_office_settings",
            "MAILGUN_API_URL": url,
        }
        with (
            _told("benchmarks.outbox_worker", str(folder), url) as (first, _ready),
            _told("benchmarks.outbox_worker", str(folder), url) as (second, _ready),
            _told("benchmarks.post_office_peer", **environment) as (peer, _ready),
        ):
            workers = (first, second)
            for number in range(ROUNDS):
                theirs.append(BY_PEER / float(_ask(peer, str(BY_PEER))))
                assert int(_ask(stub).split()[1]) == BY_PEER
                seconds, of_processor = _hand_over(workers, stub, number, BY_HTTP)
                ours.append(seconds)
                processor.append(of_processor / BY_HTTP * 1e6)
            many, _processor = _hand_over(workers, stub, ROUNDS, ALL_BY_HTTP)
    rate = BY_HTTP / statistics.median(ours)
    what = f"{BY_HTTP:,} mails by HTTP, 2 workers"
    show(f"{what}, s", ours=spread(ours, ".2f"), value=statistics.median(ours), at_most=3)
    show(f"{what}, µs of a worker's processor a mail", ours=spread(processor))
    show(f"{ALL_BY_HTTP:,} mails by HTTP, 2 workers, s", ours=f"{many:.1f}", value=many, at_most=30)
    ratio = rate / statistics.median(theirs)
    show(
        "mails a second by HTTP, django-post_office",
        ours=f"{rate:,.0f}",
        peer=spread(theirs),
        ratio=ratio,
        at_least=1,
    )


def _hand_over(
    workers: Sequence[subprocess.Popen[str]], stub: subprocess.Popen[str], number: int, count: int
) -> tuple[float, float]:
    """Seconds on the clock, and of the workers' processors, for `count` mails."""
    with closing(psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)) as connection:
        connection.execute("TRUNCATE notifications_delivery")
    _queue(number, count, prefix="http")
    began = time.perf_counter()
    for worker in workers:
        print(file=worker.stdin, flush=True)
    said = [worker.stdout.readline().split() for worker in workers if worker.stdout]
    seconds = time.perf_counter() - began
    assert sum(int(handed) for handed, _processor in said) == count, said
    assert int(_ask(stub).split()[1]) == count
    return seconds, sum(float(processor) for _handed, processor in said)


def _ask(process: subprocess.Popen[str], line: str = "") -> str:
    assert process.stdout is not None
    print(line, file=process.stdin, flush=True)
    return process.stdout.readline()


@contextmanager
def _told(module: str, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that does a step for each line it is given, and its first line."""
    command = [sys.executable, "-m", module, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env={**os.environ, **environment}, text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process, process.stdout.readline().strip()
        process.stdin.close()


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


def _queue(number: int, count: int = MAILS, prefix: str = "mail") -> None:
    from notifications import services
    from notifications.services import Recipient

    for part in range(count // 1_000):
        services.notify(
            kind="bench.both",
            about="bench.draw:1",
            context={"draw": "Spring"},
            idem_key=f"{prefix}:{number}:{part}",
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
    set_up(folder)
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with closing(psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)) as connection:
        connection.execute(_PEOPLE, [PEOPLE])
        connection.execute("VACUUM ANALYZE accounts_user")


def set_up(folder: Path) -> None:
    """Django with our kinds; their templates stand in `folder`."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    import django

    django.setup()
    from django.template import engines

    from accounts.models import User
    from notifications import kinds
    from notifications.kinds import Category, Channel, Kind, Reach
    from notifications.recipients import members

    engines["django"].engine.dirs.append(folder)
    (folder / "notifications").mkdir(exist_ok=True)
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
