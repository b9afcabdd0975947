"""How lines of the log are made: as structlog makes them, and side by side."""

import json
import logging
from io import StringIO
from threading import Thread

import pytest
import structlog

from config.logging import LOGGING, LineFormatter, LineHandler, as_json, hide_secrets

_META = structlog.stdlib.ProcessorFormatter.remove_processors_meta
_CHAIN = LOGGING["formatters"]["site"]["foreign_pre_chain"]
_TEXT = structlog.dev.ConsoleRenderer(colors=False)


@pytest.fixture
def records(monkeypatch) -> list[logging.LogRecord]:
    """What a logger was told."""
    found: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", found.append)
    logger = logging.getLogger("tests.lines")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.INFO)
    return found


@pytest.mark.parametrize("renderer", [structlog.processors.JSONRenderer(), _TEXT], ids=["json", "text"])
def test_a_line_is_what_structlog_makes_of_it(records, renderer):
    ours, theirs = structlog.get_logger("tests.lines"), logging.getLogger("tests.lines")
    ours.info("request", method="POST", data={"token": "abc", "to": ["a@b.example"]}, at=1.5, what=object)
    theirs.info("%s of %s", 1, "a@b.example")
    theirs.info({"not": "of structlog"})
    try:
        raise ValueError("of a@b.example")
    except ValueError:
        ours.exception("failed", number=1)
        theirs.exception("failed")
    given = {"foreign_pre_chain": _CHAIN, "processors": [_META, hide_secrets, renderer]}
    mine, plain = LineFormatter(**given), structlog.stdlib.ProcessorFormatter(**given)
    assert len(records) == 5
    for record in records:
        before = dict(record.__dict__)
        made, expected = (_without_the_time(one.format(record), renderer) for one in (mine, plain))
        assert made == expected
        assert "a@b.example" not in made
        assert record.__dict__ == before  # other handlers get it as it was


def _without_the_time(line: str, renderer: object) -> str:
    """A library's line gets its time when it is written."""
    if renderer is _TEXT:
        return line.partition(" [")[2]
    return json.dumps(json.loads(line) | {"timestamp": ""})


def test_the_site_s_own_renderer_says_the_same_as_structlog_s(records):
    structlog.get_logger("tests.lines").info("request", ms=3, name="ä", nothing=None, what=object)
    ours, theirs = (
        LineFormatter(processors=[_META, hide_secrets, renderer]).format(records[0])
        for renderer in (structlog.processors.JSONRenderer(as_json), structlog.processors.JSONRenderer())
    )
    assert ours == theirs


def test_a_line_is_made_while_another_thread_may_write(records):
    """Made under the lock, ten threads would make their lines one after the other."""
    free: list[bool] = []

    class Looking(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            look = Thread(target=lambda: free.append(_is_free(handler)))
            look.start()
            look.join()
            return super().format(record)

    handler = LineHandler(StringIO())
    handler.setFormatter(Looking("%(message)s"))
    logging.getLogger("tests.lines").handlers = [handler]
    logging.getLogger("tests.lines").info("one")
    assert free == [True]
    assert handler.stream.getvalue() == "one\n"


def _is_free(handler: logging.Handler) -> bool:
    lock = handler.lock
    assert lock is not None
    got = lock.acquire(blocking=False)
    if got:
        lock.release()
    return got


def test_lines_of_many_threads_stay_whole():
    handler = LineHandler(StringIO())
    logger = logging.Logger("tests.many")
    logger.addHandler(handler)
    threads = [Thread(target=lambda n=n: [logger.info(str(n) * 100) for _ in range(100)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = handler.stream.getvalue().splitlines()
    assert sorted(lines) == sorted(str(n) * 100 for n in range(8) for _ in range(100))


def test_a_line_that_can_not_be_made_or_written_ends_nothing(capsys):
    handler = LineHandler(StringIO())
    logger = logging.Logger("tests.broken")
    logger.addHandler(handler)
    logger.info("%d", "no number")
    assert "TypeError" in capsys.readouterr().err
    handler.stream.close()
    logger.info("two")
    assert "ValueError" in capsys.readouterr().err


def test_what_a_filter_keeps_back_is_not_written():
    handler = LineHandler(StringIO())
    handler.addFilter(lambda record: record.getMessage() != "secret")
    logger = logging.Logger("tests.filter")
    logger.addHandler(handler)
    logger.info("secret")
    logger.info("told")
    assert handler.stream.getvalue() == "told\n"
