"""Relays of drand: each way in which one can fail, and that the next is asked for the same round."""

import pytest

from draws.drand import QUICKNET
from draws.relays import RelaysError, fetch_round
from tests.draws.vwd1_values import DRAND_ROUNDS
from tests.fakes.drand import FakeRelay, Trick


def test_a_round_comes_with_its_signature_and_where_it_was_found():
    with FakeRelay() as relay:
        beacon = fetch_round(relays=[f"{relay.url}/"], round_number=1000)
    assert (beacon.round_number, beacon.signature) == (1000, DRAND_ROUNDS[1000][0])
    assert beacon.relay == f"{relay.url}/"
    assert relay.asked == [f"/{QUICKNET.chain_hash}/public/1000"]


SAYS = {
    Trick.LATE: "status 425",
    Trick.WRONG_ROUND: "not round 1000",
    Trick.WRONG_SIGNATURE: "signature is not the chain's",
    Trick.HTML: "not JSON",
    Trick.NOT_AN_OBJECT: "not round 1000",
    Trick.ENDLESS: "too long",
    Trick.STALL: "no answer within 0.3 s",
    Trick.DRIBBLE: "no whole answer within 0.3 s",
    Trick.ERROR: "status 500",
    Trick.REDIRECT: "status 302",
    Trick.HANG_UP: "",
}


@pytest.mark.parametrize("trick", list(Trick))
def test_a_relay_that_fails_is_passed_by_for_the_next_with_the_same_round(trick):
    with FakeRelay(trick) as bad, FakeRelay() as good:
        beacon = fetch_round(relays=[bad.url, good.url], round_number=1000, timeout_s=0.3)
    assert beacon.relay == good.url
    assert bad.asked == good.asked == [f"/{QUICKNET.chain_hash}/public/1000"]


@pytest.mark.parametrize("trick", list(Trick))
def test_it_says_of_each_relay_why_it_gave_nothing(trick):
    with (
        FakeRelay(trick) as first,
        FakeRelay(Trick.ERROR) as second,
        pytest.raises(RelaysError) as caught,
    ):
        fetch_round(relays=[first.url, second.url], round_number=1000, timeout_s=0.3)
    first_says, second_says = str(caught.value).split("; ")
    assert first_says.startswith(first.url.removeprefix("http://"))
    assert SAYS[trick] in first_says
    assert second_says == f"{second.url.removeprefix('http://')}: status 500"


def test_a_relay_that_is_not_there_and_no_relay_at_all():
    with FakeRelay() as relay:
        gone = relay.url
    with pytest.raises(RelaysError, match=r"127\.0\.0\.1"):
        fetch_round(relays=[gone, "ftp://127.0.0.1"], round_number=1000, timeout_s=0.3)
    with pytest.raises(RelaysError, match="DRAND_RELAYS"):
        fetch_round(relays=[], round_number=1000)
