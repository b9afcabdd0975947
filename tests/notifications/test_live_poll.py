"""What has come since, for those whom no stream reaches: an answer, or 304 and nothing."""

import datetime as dt
import json

import pytest
from django.utils import timezone

from notifications.live import make_token, number_at, publish
from tests.notifications.hub_client import polled
from tests.notifications.test_live import TOPIC, hub_of, running, token_for


def content(answer) -> dict:
    assert answer.status == 200
    assert answer.headers[b"etag"] == f'"{json.loads(answer.body)["last"]}"'.encode()
    return json.loads(answer.body)


def tag_of(answer) -> str:
    return answer.headers[b"etag"].decode()


def test_who_was_never_there_is_told_to_ask_and_where_to_go_on(settings):
    async def scenario() -> None:
        hub = hub_of(settings)
        for _ in range(2):  # without a frame, and with one
            first = content(await polled(hub, token_for(TOPIC)))
            assert (first["resync"], first["frames"]) == (True, [])
            publish(TOPIC, "winner", {"rank": 1})
            assert content(await polled(hub, token_for(TOPIC), last=first["last"]))["frames"] == [
                {"topic": TOPIC, "event": "winner", "data": {"rank": 1}}
            ]
        await hub.close()

    running(scenario())


def test_it_answers_what_came_since_once_and_nothing_of_other_topics(settings):
    async def scenario() -> None:
        hub = hub_of(settings)
        last = str(number_at(timezone.now()))
        token = token_for(TOPIC, "inbox:1")
        publish(TOPIC, "said", {"n": 1}, each=True)
        publish("draw:autumn", "said", {"n": 9}, each=True)
        publish("inbox:1", "said", {"n": 2}, each=True)
        first = await polled(hub, token, last=last)
        assert [frame["data"]["n"] for frame in content(first)["frames"]] == [1, 2]
        assert content(first)["resync"] is False
        last = content(first)["last"]
        second = await polled(hub, token, last=last)
        assert content(second) == {"last": last, "resync": False, "frames": []}
        third = await polled(hub, token, last=last, if_none_match=tag_of(second))
        assert (third.status, third.body, tag_of(third)) == (304, b"", tag_of(second))
        publish(TOPIC, "said", {"n": 3}, each=True)
        fourth = await polled(hub, token, last=last, if_none_match=tag_of(second))
        assert [frame["data"]["n"] for frame in content(fourth)["frames"]] == [3]
        await hub.close()

    running(scenario())


@pytest.mark.parametrize("minutes", [1, 60])
def test_who_missed_too_much_is_told_to_ask(settings, minutes):
    async def scenario() -> None:
        hub = hub_of(settings)
        for rank in range(400 if minutes == 1 else 1):
            publish(TOPIC, "winner", {"rank": rank})
        last = int((timezone.now() - dt.timedelta(minutes=minutes)).timestamp() * 1e6)
        answer = content(await polled(hub, token_for(TOPIC), last=str(last)))
        assert (answer["resync"], answer["frames"]) == (True, [])
        again = content(await polled(hub, token_for(TOPIC), last=answer["last"]))
        assert (again["resync"], again["frames"]) == (False, [])
        await hub.close()

    running(scenario())


def test_only_a_token_opens_it(settings):
    async def scenario() -> None:
        hub = hub_of(settings)
        for token in ("", "forged.token", make_token([TOPIC], timezone.now() - dt.timedelta(hours=2))):
            assert (await polled(hub, token)).status == 401
        foreign = await polled(hub, token_for(TOPIC), origin="https://evil.example", host="fair.example")
        assert foreign.status == 403
        await hub.close()

    running(scenario())


def test_without_redis_it_says_so(settings):
    async def scenario() -> None:
        hub = hub_of(settings, redis_url="redis://127.0.0.1:1/0")
        answer = await polled(hub, token_for(TOPIC), last="1")
        assert (answer.status, answer.headers[b"retry-after"]) == (503, b"5")
        await hub.close()

    running(scenario())
