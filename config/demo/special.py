"""One draw of the last weeks for each thing that can happen to a draw or to a prize of it."""

import contextlib
import datetime as dt

from config.demo.making import (
    DAY,
    HOUR,
    MINUTE,
    award_in_slot,
    cash,
    claim,
    credit,
    drawn,
    enter_then,
    frozen,
    guest_entries,
    member_entries,
    published,
    thing,
    voucher,
)
from config.demo.people import MEMBERS, person
from draws import services as draws
from draws.models import Award, Draw, Entry


def seed_fates(*, now: dt.datetime) -> None:
    """What can become of a prize: used, to be sent, paid, declined, too late, taken back, vacant, nobody's any more."""
    admin, manager = person("admin"), person("manager")
    supper = drawn(
        title="Harvest supper",
        description="Supper under the fig trees, and everything that winners can do with what they have won.",
        prizes=[
            voucher("Supper for two"),
            thing("A basket from the fields"),
            cash("Travel money", 2_000, 4, on_claim=True),
            credit("Credits for the bar", 50, 2, on_claim=True),
        ],
        entrants=member_entries(range(24)),
        draw_at=now - 13 * DAY,
        claim_days=10,
    )
    won = supper.executed_at or now
    used, basket, paid, declined, _late, taken, *_credits = (
        winner.award for winner in supper.winners.order_by("slot").select_related("award__member")
    )
    used = claim(used, at=won + HOUR)
    draws.redeem_voucher(code=used.voucher.code, by=manager, note="Table 4, Saturday", now=won + 5 * DAY)
    claim(basket, at=won + 2 * HOUR)
    claim(paid, at=won + 3 * HOUR)
    draws.decline_award(award=declined, member=declined.member, now=won + 4 * HOUR)
    claim(award_in_slot(supper, declined.winner.slot), at=won + 6 * HOUR)
    draws.disqualify_winner(
        award=taken,
        by=admin,
        reason="Works for the organiser, whom the rules keep out.",
        now=won + DAY,
    )
    claim(award_in_slot(supper, taken.winner.slot), at=won + 2 * DAY)
    # One winner of money and both of credits were too late: who follows them has another ten days.
    draws.expire_awards(now=won + 10 * DAY + MINUTE)

    tokens = drawn(
        title="Book tokens",
        description="Two tokens and no extra ranks: when one is declined, its slot waits for the organiser.",
        prizes=[voucher("A book token", 2)],
        entrants=member_entries(range(30, 39)),
        draw_at=now - 6 * DAY,
        alternates=0,
    )
    given_back = award_in_slot(tokens, 1)
    draws.decline_award(award=given_back, member=given_back.member, now=now - 5 * DAY)

    lanterns = drawn(
        title="Lanterns by the lake",
        description="One of the winners has asked us to forget them: their prize is nobody's, and falls to the next rank.",
        prizes=[thing("A paper lantern", 3)],
        entrants=guest_entries(range(MEMBERS + 200, MEMBERS + 216)),
        draw_at=now - 4 * DAY,
    )
    claim(award_in_slot(lanterns, 0), at=now - 3 * DAY)
    draws.decline_award(award=award_in_slot(lanterns, 2), member=None, now=now - 3 * DAY)
    _forget(award_in_slot(lanterns, 1))


def _forget(award: Award) -> None:
    """What erasing a person leaves of a guest: a public id that means nobody."""
    Entry.objects.filter(pk=award.winner.entry_id).update(identity=None, name="", salt=None)
    Award.objects.filter(pk=award.pk).update(identity=None)


def seed_series(*, now: dt.datetime) -> None:
    """Four evenings of a festival, each without the winners of the evenings before; the last is still open."""
    evenings: list[Draw] = []
    people = member_entries(range(2, 20))
    for number, name in enumerate(("first", "second", "third")):
        evenings.append(
            drawn(
                title=f"Festival, {name} evening",
                description="Who has won on one evening of the festival leaves the others to the others.",
                prizes=[voucher("Two seats in the front row", 3), cash("Pocket money", 500, 2)],
                entrants=people,
                draw_at=now - (9 - number) * DAY,
                waits=30 * MINUTE,
                **_after(evenings),
            )
        )
    opens_at, closes_at = now - 2 * DAY, now + 2 * DAY
    last = published(
        title="Festival, last evening",
        description="The last chance for whoever has not won at the festival yet.",
        prizes=[thing("A drum"), cash("Pocket money", 2_000, 2)],
        opens_at=opens_at,
        closes_at=closes_at,
        draw_at=closes_at + HOUR,
        now=opens_at,
        **_after(evenings),
    )
    enter_then(last, people, at=now - DAY)


def _after(evenings: list[Draw]) -> dict[str, object]:
    if not evenings:
        return {}
    return {"scope": evenings[0].scope, "excludes": [str(draw.public_id) for draw in evenings]}


def seed_endings(*, now: dt.datetime) -> None:
    """Draws that came to nothing: one was called off, in one nobody took part."""
    opens_at, closes_at = now - 9 * DAY, now + 3 * DAY
    concert = published(
        title="Rooftop concert",
        description="Two places at the concert on the roof.",
        prizes=[voucher("A place on the roof", 2), cash("Taxi home", 1_500, 2)],
        opens_at=opens_at,
        closes_at=closes_at,
        draw_at=closes_at + HOUR,
        now=opens_at,
    )
    enter_then(concert, member_entries(range(40, 70)), at=now - 8 * DAY)
    reason = "The roof is closed until the rains are over, and the concert with it."
    draws.cancel_draw(draw=concert, by=person("manager"), reason=reason, now=now - 5 * DAY)

    closed_at = now - 11 * DAY
    picnic = published(
        title="Midnight picnic",
        description="A basket for two. Nobody dared.",
        prizes=[voucher("A basket for two")],
        opens_at=closed_at - 2 * DAY,
        closes_at=closed_at,
        draw_at=closed_at + HOUR,
        now=closed_at - 2 * DAY,
    )
    draws.freeze_draw(draw_id=picnic.pk, now=picnic.closes_at)


def seed_announced_texts(*, now: dt.datetime) -> None:
    """Two draws whose number is announced elsewhere: one text waits for a second admin, the other was never entered."""
    lottery = frozen(
        title="Numbers from the lottery",
        description="Drawn from our secret and from the numbers of a lottery that is none of ours.",
        prizes=[cash("First prize", 20_000), voucher("A morning at the market", 3)],
        randomness=[
            {"type": "commit"},
            {"type": "public_text", "label": "Example lottery, six numbers in ascending order"},
        ],
        entrants=[*member_entries(range(1, 60)), *guest_entries(range(MEMBERS + 220, MEMBERS + 240))],
        draw_at=now + 15 * MINUTE,
        waits=DAY,
    )
    numbers = "04 11 19 23 37 42"
    draws.enter_text(draw=lottery, position=1, text=numbers, by=person("manager"), now=now - 20 * MINUTE)

    weather = frozen(
        title="Warmest day of the week",
        description="Drawn from a temperature that the weather service announces.",
        prizes=[thing("A parasol", 2)],
        randomness=[{"type": "public_text", "label": "Highest temperature of the week in Nairobi, in °C"}],
        entrants=member_entries(range(80, 110)),
        draw_at=now - 3 * HOUR,
        waits=DAY,
    )
    # It is what the job does: the failure is written down, the admins are told, and it is tried again.
    with contextlib.suppress(draws.ExecutionError):
        draws.execute_draw(draw_id=weather.pk, now=weather.draw_at)
