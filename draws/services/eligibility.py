"""Who may enter a draw by themselves: its audience, its least age, its countries.

Only for people who enter; whom an admin imports, or another app enters, is taken as given. A refusal says what the
person can do about it.
"""

import datetime as dt

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from draws.models import Draw, Entry


def why_not_eligible(*, draw: Draw, member: User) -> str:
    """Why this member can't enter this draw, as a sentence for them; empty when they can."""
    if draw.audience == Draw.Audience.LIST:
        return _("This draw is for invited people only.")
    if draw.audience == Draw.Audience.APP:
        return _("Nobody enters this draw by themselves: who takes part elsewhere is in it.")
    if draw.audience == Draw.Audience.GROUP and not member.groups.filter(pk=draw.audience_group_id).exists():
        return _("This draw is for the group “%(group)s”, and you are not in it.") % {
            "group": draw.audience_group
        }
    return _why_not_old_enough(draw, member) or _why_not_from_there(draw, member)


def _why_not_old_enough(draw: Draw, member: User) -> str:
    latest = latest_birth_date(draw)
    if latest is None:
        return ""
    if member.birth_date is None:
        return _("This draw is for people of %(age)d or older: fill in your birth date in your profile.") % {
            "age": draw.min_age
        }
    if member.birth_date > latest:
        return _(
            "This draw is for people who are %(age)d or older on the day entries close. By the birth date in "
            "your profile you are not; if it is wrong, correct it there."
        ) % {"age": draw.min_age}
    return ""


def _why_not_from_there(draw: Draw, member: User) -> str:
    if not draw.countries or member.country in draw.countries:
        return ""
    countries = ", ".join(draw.countries)
    if not member.country:
        return _("This draw is for people in %(countries)s: fill in your country in your profile.") % {
            "countries": countries
        }
    return _(
        "This draw is for people in %(countries)s. By your profile you are in %(country)s; if that is wrong, "
        "correct it there."
    ) % {"countries": countries, "country": member.country}


def latest_birth_date(draw: Draw) -> dt.date | None:
    """Who was born on this day or before is old enough on the day entries close, in the draw's zone.

    A birthday on 29 February counts from 1 March in other years.
    """
    if not draw.min_age:
        return None
    day = draw.closes_at.astimezone(draw.zone).date()
    try:
        return day.replace(year=day.year - draw.min_age)
    except ValueError:  # 29 February, and none in that year
        return day.replace(year=day.year - draw.min_age, day=28)


def who_may_still_enter(draw: Draw) -> QuerySet[User]:
    """Members who are eligible by what their profile says, and who have not entered."""
    people = User.objects.filter(is_active=True)
    if draw.audience not in (Draw.Audience.MEMBERS, Draw.Audience.GROUP):
        return people.none()
    if draw.audience == Draw.Audience.GROUP:
        people = people.filter(groups=draw.audience_group)
    if (latest := latest_birth_date(draw)) is not None:
        people = people.filter(birth_date__lte=latest)
    if draw.countries:
        people = people.filter(country__in=draw.countries)
    entered = Entry.objects.filter(draw=draw)
    return people.exclude(
        Q(pk__in=entered.filter(member__isnull=False).values("member_id"))
        | Q(email__in=entered.filter(member=None, identity__isnull=False).values("identity"))
    )
