"""Publishing: what is promised, what is set aside, and what is refused."""

from hashlib import sha256

import pytest
from django.utils import timezone

from audit.models import Record
from draws import services, vwd1
from draws.models import Draw, Prize
from draws.vault import open_secret
from notifications.models import Message
from tests.draws.factories import CASH, CREDITS, HOUR, SMALL, VOUCHER, fund, make_draft, make_draw, pool_of
from tests.factories import admin

pytestmark = pytest.mark.django_db


def publish(draw: Draw) -> Draw:
    return services.publish_draw(draw=draw, by=admin(), now=timezone.now())


def test_publishing_opens_the_draw_and_sets_its_prizes_aside():
    draw = make_draft(prizes=[CASH, SMALL, CREDITS, VOUCHER])
    fund(draw, extra=5)
    published = publish(draw)
    assert published.status == Draw.Status.ACTIVE
    assert published.published_at
    assert pool_of(draw) == (5, 120_000, 0)
    assert pool_of(draw, "CREDIT") == (5, 30, 0)


def test_the_commitment_binds_the_stored_secret_to_this_draw():
    draw = make_draw()
    secret = open_secret(draw.secret_encrypted)
    assert len(secret) == 32
    assert draw.sources == [{"type": "commit", "sha256": draw.commitment}]
    assert draw.commitment == vwd1.commitment(draw_id=draw.public_id, secret_hex=secret.hex())
    assert secret.hex() not in draw.secret_encrypted


def test_two_draws_never_share_a_secret():
    assert open_secret(make_draw().secret_encrypted) != open_secret(make_draw().secret_encrypted)


def test_the_trail_keeps_the_hash_of_the_rules_and_the_commitment():
    draw = make_draw(rules="Kanuni: mtu mmoja, tiketi moja. — ১")
    entry = Record.objects.get(action="draw.published")
    assert entry.data["rules_sha256"] == sha256(draw.rules.encode()).hexdigest() == draw.rules_sha256
    assert entry.data["commitment"] == draw.commitment
    assert open_secret(draw.secret_encrypted).hex() not in str(entry.data)


def test_prizes_get_their_codes_in_their_order():
    draw = make_draft(prizes=[])
    for title, position in (("Second", 2), ("Third", 3), ("First", 1)):
        Prize.objects.create(draw=draw, title=title, amount=100, position=position)
    fund(draw)
    publish(draw)
    assert list(draw.prizes.values_list("title", "code")) == [
        ("First", "p1"),
        ("Second", "p2"),
        ("Third", "p3"),
    ]


@pytest.mark.parametrize(
    ("prizes", "given", "expected"),
    [
        ([CASH], None, 3),
        ([CASH, SMALL], None, 3),
        ([("Five", "cash", 100, 5), ("Two", "voucher", 0, 2)], None, 7),
        ([CASH], 0, 0),
        ([CASH], 12, 12),
    ],
)
def test_extra_ranks_are_as_many_as_slots_and_at_least_three(prizes, given, expected):
    assert make_draw(prizes=prizes, alternates=given).alternates == expected


def test_parts_of_a_second_are_dropped_from_the_times():
    draw = make_draft()
    for name in ("opens_at", "closes_at", "draw_at"):
        setattr(draw, name, getattr(draw, name).replace(microsecond=123_456))
    draw.save()
    fund(draw)
    published = publish(draw)
    assert {getattr(published, name).microsecond for name in ("opens_at", "closes_at", "draw_at")} == {0}


@pytest.mark.parametrize(
    ("fields", "prizes", "sentence"),
    [
        ({}, [], "Add at least one prize"),
        ({"rules": "  \n"}, [CASH], "Write the rules"),
        ({"min_wait_s": 3600}, [CASH], "draw at least 3600 seconds after they close"),
        ({"min_wait_s": 0}, [CASH], "draw at least 30 seconds after they close"),
        ({"closes_in": -HOUR}, [CASH], "close them in the future"),
    ],
)
def test_it_refuses_what_is_missing_with_a_sentence(fields, prizes, sentence):
    draw = make_draft(prizes=prizes, **fields)
    fund(draw)
    with pytest.raises(services.PublishError, match=sentence):
        publish(draw)
    draw.refresh_from_db()
    assert draw.status == Draw.Status.DRAFT
    assert draw.secret_encrypted == ""
    assert pool_of(draw)[1] == 0
    assert not draw.prizes.exclude(code=None).exists()


def test_it_refuses_a_draw_whose_pool_is_short_and_says_by_how_much():
    draw = make_draft(prizes=[CASH])
    services.fund_draw(
        draw=draw,
        unit="KES",
        amount=99_900,
        by=admin(),
        reason="Most of it",
        idem_key="most",
        now=timezone.now(),
    )
    with pytest.raises(services.PublishError, match=r"Fund the pool with KES 1\.00 more"):
        publish(draw)


def test_it_names_everything_that_is_missing_at_once():
    draw = make_draft(prizes=[CASH], rules="")
    with pytest.raises(services.PublishError) as refused:
        publish(draw)
    assert "Write the rules" in str(refused.value)
    assert "Fund the pool with KES 1,000.00 more" in str(refused.value)


def test_publishing_twice_does_nothing_twice():
    draw = make_draft()
    fund(draw)
    first, second = publish(draw), publish(draw)
    assert first.secret_encrypted == second.secret_encrypted
    assert first.published_at == second.published_at
    assert pool_of(draw) == (0, 120_000, 0)
    assert Record.objects.filter(action="draw.published").count() == 1


def test_a_finished_draw_is_not_published_again():
    draw = make_draw()
    services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())
    with pytest.raises(services.PublishError, match="Only a draft"):
        publish(draw)


def test_funding_repeated_under_one_key_moves_money_once():
    draw = make_draft(prizes=[CASH])
    for _ in range(2):
        services.fund_draw(
            draw=draw, unit="KES", amount=500, by=admin(), reason="Gift", idem_key="once", now=timezone.now()
        )
    assert pool_of(draw) == (500, 0, 0)


@pytest.mark.parametrize(("amount", "reason"), [(0, "Gift"), (-5, "Gift"), (5, "  ")])
def test_funding_needs_an_amount_and_a_reason(amount, reason):
    draw = make_draft()
    with pytest.raises(services.FundingError):
        services.fund_draw(
            draw=draw, unit="KES", amount=amount, by=admin(), reason=reason, idem_key="k", now=timezone.now()
        )
    assert pool_of(draw) == (0, 0, 0)


def test_a_finished_draw_takes_no_money_even_from_a_stale_page():
    draw = make_draw()
    services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())
    assert draw.status == Draw.Status.ACTIVE  # what the page still believes
    with pytest.raises(services.FundingError, match="nothing left to fund"):
        fund(draw)
    assert pool_of(draw) == (0, 0, 0)


def test_cancelling_gives_the_money_back_and_tells_the_entrants_once():
    draw = make_draw(entrants=2, extra=7)
    for _ in range(2):
        services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())
    draw.refresh_from_db()
    assert draw.status == Draw.Status.CANCELLED
    assert pool_of(draw) == (0, 0, 0)
    assert Message.objects.filter(kind="draws.draw_cancelled").count() == 1


def test_cancelling_needs_a_reason():
    with pytest.raises(services.PublishError, match="Say why"):
        services.cancel_draw(draw=make_draw(), by=admin(), reason=" ", now=timezone.now())


def test_a_dropped_draft_was_never_public():
    draw = make_draft()
    services.cancel_draw(draw=draw, by=admin(), reason="A mistake", now=timezone.now())
    assert draw not in Draw.objects.public()
    assert not Message.objects.filter(kind="draws.draw_cancelled").exists()
