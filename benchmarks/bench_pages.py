"""Public pages under load: home, a draw, its results, by 50 visitors at once, beside a bare view of a template.

`python -m benchmarks.bench_pages`. Ours runs as the Procfile's web process does (granian, WSGI) over a scratch
database with the demo's draws. The peer is a Django of its own in a second granian with as many workers and
threads: one view, one template with a table of thirty rows, no database, no session, no middleware.

Two loads. *Visitors*: each of the 50 asks for a page, gets it, and looks at it for a second (0.5 to 1.5) before the
next: what a site with 50 people on it feels like. *Hammer*: none of them ever waits, so that both cores are full,
these clients' own work included; there only the ratio means something.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

from benchmarks import figures
from benchmarks.scratch import scratch_database
from benchmarks.servers import p95, serving

VISITORS = 50
SECONDS = 12
ROUNDS = 3
PAUSE = (0.5, 1.5)
REACH_MS = 200
PEER = """
import sys
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.shortcuts import render
from django.urls import path

ROWS = [{"name": f"Row {n}", "amount": n * 100} for n in range(30)]
settings.configure(
    SECRET_KEY="bench", ALLOWED_HOSTS=["*"], ROOT_URLCONF="bare_site",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [sys.path[0]]}],
)

def page(request):
    return render(request, "page.html", {"rows": ROWS, "title": "Bare"})

urlpatterns = [path("", page)]
application = get_wsgi_application()
"""
PAGE = """<!doctype html><title>{{ title }}</title><h1>{{ title }}</h1><table>
{% for row in rows %}<tr><td>{{ forloop.counter }}</td><td>{{ row.name }}</td><td>{{ row.amount }}</td></tr>{% endfor %}
</table>"""


def main() -> None:
    """Run both loads on both servers, alternating, and print the figures."""
    with scratch_database("pages") as url, tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # noqa: S103  (PostgreSQL runs as a user of its own)
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "FAIRGROUND_DATA": folder,
            "MEDIA_ROOT": f"{folder}/media",
        }
        for command in (["migrate", "--verbosity", "0"], ["seed_demo"]):
            subprocess.run(
                [sys.executable, "manage.py", *command],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        bare = Path(folder) / "bare"
        bare.mkdir()
        (bare / "bare_site.py").write_text(PEER)
        (bare / "page.html").write_text(PAGE)
        with (
            serving("config.wsgi:application", environment) as ours,
            serving("bare_site:application", {**os.environ, "PYTHONPATH": str(bare)}, folder=bare) as peer,
        ):
            slug = drawn(ours)
            pages = {
                "home": "/",
                "a draw": "/draws/weekend-at-the-coast/",
                "results": f"/draws/{slug}/results/",
            }
            for port, paths in ((ours, pages.values()), (peer, ["/"])):
                for path in paths:
                    ask(HTTPConnection("127.0.0.1", port, timeout=60), path)
            report_visitors(ours, peer, pages)
            report_hammer(ours, peer, pages)


def report_visitors(ours: int, peer: int, pages: dict[str, str]) -> None:
    """p95 of each page while 50 people are on the site."""
    for name, path in pages.items():
        mine, theirs = [], []
        for number in range(ROUNDS):
            mine.append(p95(load(ours, [path], number, pause=PAUSE)))
            theirs.append(p95(load(peer, ["/"], number, pause=PAUSE)))
        best = statistics.median(mine)
        figures.show(
            f"{name}, {VISITORS} visitors: p95",
            ours=f"{figures.spread(mine, ',.0f')} ms",
            peer=f"bare view {figures.spread(theirs, ',.0f')} ms",
            ratio=best / statistics.median(theirs),
            value=best,
            at_most=REACH_MS,
        )


def report_hammer(ours: int, peer: int, pages: dict[str, str]) -> None:
    """Requests a second when nobody waits."""
    mine, theirs = [], []
    for number in range(ROUNDS):
        mine.append(len(load(ours, list(pages.values()), number, pause=None)) / SECONDS)
        theirs.append(len(load(peer, ["/"], number, pause=None)) / SECONDS)
    figures.show(
        f"pages a second, {VISITORS} clients that never wait",
        ours=figures.spread(mine),
        peer=f"bare view {figures.spread(theirs)}",
        ratio=statistics.median(mine) / statistics.median(theirs),
    )


def load(port: int, paths: list[str], number: int, *, pause: tuple[float, float] | None) -> list[float]:
    """Milliseconds of each answer that VISITORS clients got within SECONDS."""
    taken: list[float] = []
    until = time.monotonic() + SECONDS

    def visit(index: int) -> None:
        choose = random.Random(f"{number}:{index}")
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        if pause:
            time.sleep(choose.uniform(0, pause[1]))  # nobody comes at the same moment as all others
        while time.monotonic() < until:
            began = time.perf_counter()
            ask(connection, choose.choice(paths))
            taken.append((time.perf_counter() - began) * 1_000)
            if pause:
                time.sleep(choose.uniform(*pause))
        connection.close()

    visitors = [threading.Thread(target=visit, args=(index,)) for index in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return taken


def ask(connection: HTTPConnection, path: str) -> bytes:
    """One page; raises when it is not one."""
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}")
    return body


def drawn(port: int) -> str:
    """The slug of a draw of the demo that has results."""
    found = json.loads(ask(HTTPConnection("127.0.0.1", port, timeout=60), "/api/draws/?phase=past"))
    return next(draw["slug"] for draw in found["results"] if draw["phase"] == "completed")


if __name__ == "__main__":
    main()
