"""Who is here, now: over several processes of the hub, and when one of them is killed."""

import json

import pytest
from django.utils import timezone

from notifications import live_wire
from notifications.live import make_token, present
from notifications.live_wire import Presence
from tests.notifications.hub_client import connected, opened
from tests.notifications.test_live import TOPIC, hub_of, running


def token(*, shown_as: str = "", sees_who: bool = False, counted=(TOPIC,)) -> str:
    return make_token([TOPIC], timezone.now(), counted=counted, shown_as=shown_as, sees_who=sees_who)


def presence_of(stream) -> dict:
    """The newest word about who is here."""
    said = [json.loads(event["data"]) for event in stream.events if event["event"] == "presence"]
    return said[-1] if said else {}


@pytest.fixture
def quick(settings):
    """Hubs that say it often."""
    return lambda: hub_of(settings, pace=0.05)


def test_all_processes_together_count_strangers_and_members(quick):
    async def scenario() -> None:
        one, two = quick(), quick()
        async with (
            opened(one, token()) as stranger,
            opened(one, token(shown_as="m-1")),
            opened(two, token(shown_as="m-1")),  # the same member, in another window
            opened(two, token(shown_as="m-2", sees_who=True)) as host,
            connected(two, token()) as socket,
            opened(two, token(counted=())) as unseen,
        ):
            await stranger.wait_for(lambda: presence_of(stranger).get("count") == 4)
            # Who may not see who, sees how many.
            assert presence_of(stranger) == {"topic": TOPIC, "count": 4}
            await host.wait_for(lambda: presence_of(host).get("count") == 4)
            assert presence_of(host)["members"] == ["m-1", "m-2"]
            await socket.wait_for(lambda: socket.messages and socket.messages[-1]["data"]["count"] == 4)
            assert present(TOPIC) == Presence(4, ("m-1", "m-2"))
            assert unseen.events == []
            socket.leave()
            await host.wait_for(lambda: presence_of(host).get("count") == 3)
        await one.close()
        await two.close()
        assert present(TOPIC) == Presence(0)

    running(scenario())


def test_who_comes_to_an_unchanged_crowd_is_told_as_well(quick):
    async def scenario() -> None:
        hub = quick()
        async with opened(hub, token(shown_as="m-1")) as first:
            await first.wait_for(lambda: presence_of(first).get("count") == 1)
            async with opened(hub, token(shown_as="m-1")) as second:
                await second.wait_for(lambda: presence_of(second).get("count") == 1)
        await hub.close()

    running(scenario())


def test_a_killed_process_is_forgotten_within_seconds(quick, monkeypatch):
    monkeypatch.setattr(live_wire, "PRESENT_MS", 400)

    async def scenario() -> None:
        killed, other = quick(), quick()
        async with opened(killed, token()) as lost, opened(other, token()) as stays:
            await stays.wait_for(lambda: presence_of(stays).get("count") == 2)
            killed._attendance._task.cancel()  # it says nothing more, and takes leave of nobody
            monkeypatch.setattr("notifications.hub.attendance._AGAIN", 0.1)
            await stays.wait_for(lambda: presence_of(stays).get("count") == 1)
            assert present(TOPIC) == Presence(1)
            lost.leave()
        await other.close()
        await killed._relay.close()

    running(scenario())


def test_the_crowd_is_found_again_when_redis_was_emptied(quick, settings):
    async def scenario() -> None:
        hub = quick()
        async with opened(hub, token()) as stream:
            await stream.wait_for(lambda: presence_of(stream).get("count") == 1)
            await hub._relay.redis.delete(live_wire.present_key(TOPIC))
            assert present(TOPIC) == Presence(0)
            hub._attendance._changed.add(TOPIC)  # as it says by itself after some seconds
            await stream.wait_for(lambda: present(TOPIC) == Presence(1))
        await hub.close()

    running(scenario())


def test_nobody_knows_without_redis(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert present(TOPIC) is None


def test_a_token_counts_its_bearer_only_where_it_lets_listen_and_under_a_name_that_can_be_one():
    with pytest.raises(ValueError, match="counted only where"):
        token(counted=("draw:autumn",))
    with pytest.raises(ValueError, match="can't stand for a member"):
        token(shown_as="two\nlines")


def test_of_a_crowd_of_members_some_are_named_and_all_are_counted():
    said = live_wire.said_of(2, [f"m-{number:04}" for number in range(live_wire.NAMED_LIMIT + 7)])
    presence = live_wire.presence_of([said.encode()])
    assert presence.count == live_wire.NAMED_LIMIT + 9
    assert len(presence.members) == live_wire.NAMED_LIMIT
