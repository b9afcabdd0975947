"""The message kinds of draws, and who receives them."""

import datetime as dt

from django.conf import settings
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.roles import MANAGER_ADMIN, SUPER_ADMIN
from draws.models import Award, Draw, Entry, EntryUpload, Winner
from draws.services.claiming import claim_token
from draws.services.eligibility import who_may_still_enter
from draws.sources import source_of
from notifications.kinds import Category, Channel, Kind, Reach, register
from notifications.models import Delivery, Message
from notifications.recipients import members, people

ADMIN_ROLES = (SUPER_ADMIN, MANAGER_ADMIN)
TEASER_AFTER_SIGN_IN = dt.timedelta(days=90)
FOLLOWS_FOR = dt.timedelta(days=365)

_ABOUT = {"draw": str, "slug": str}
_WON = {**_ABOUT, "claim_until": dt.datetime, "first_rank": int, "last_rank": int}
_PRIZE = {"prize": str, "award": str, "award_state": str, "award_kind": str, "rank": int}
# People with an account read it in their inbox; the others have only their mailbox.
_INBOX_OR_MAIL = {Channel.IN_APP: Reach.EVERYONE, Channel.EMAIL: Reach.OUTSIDERS}
_BOTH = {Channel.IN_APP: Reach.EVERYONE, Channel.EMAIL: Reach.EVERYONE}
# Where they have shown a telephone number to be theirs, and the site sends there.
_PHONES = {Channel.SMS: Reach.EVERYONE, Channel.WHATSAPP: Reach.EVERYONE}

# On the devices that they switched on: what they wait for, or must not miss. It says no more than the inbox.
_DEVICE = {Channel.PUSH: Reach.EVERYONE}

# What is for everybody's eyes, and what staff have to know at once, can be posted to other programs too.
_IN_PUBLIC = {Channel.IN_APP: Reach.EVERYONE, Channel.WEBHOOK: Reach.EVERYONE}
_ALARM = {**_BOTH, Channel.WEBHOOK: Reach.EVERYONE}

_HEX = Func(F("pid"), Value("hex"), function="encode", output_field=TextField())


def draw_of(message: Message) -> Draw:
    """The draw a message is about."""
    return Draw.objects.get(public_id=message.about.removeprefix("draws.draw:"))


def _people_of(entries: QuerySet[Entry]) -> QuerySet[Entry, dict[str, object]]:
    """Entrants as recipients; phone numbers wait for a channel that reaches them."""
    return people(
        entries.filter(Q(member__isnull=False) | Q(identity__contains="@")),
        account="member",
        address="identity",
        name="name",
        params={"pid": _HEX, "tickets": F("weight")},
    )


def entrants(message: Message) -> QuerySet[Entry, dict[str, object]]:
    """Everyone in the draw."""
    return _people_of(Entry.objects.filter(draw=draw_of(message)))


def non_winners(message: Message) -> QuerySet[Entry, dict[str, object]]:
    """Everyone in the draw who holds no slot, and has held none since."""
    draw = draw_of(message)
    won = Winner.objects.filter(draw=draw)
    return _people_of(Entry.objects.filter(draw=draw).exclude(pk__in=won.values("entry_id")))


def _winners(message: Message) -> QuerySet[Winner]:
    """Whom a message to winners is about: those who came in together, and whom the site can reach."""
    context = message.context
    standing = Winner.objects.filter(
        draw=draw_of(message),
        state__in=Winner.STANDING,
        rank__range=(context.get("first_rank", 0), context.get("last_rank", 2**31 - 1)),
    )
    return standing.filter(Q(award__member__isnull=False) | Q(award__identity__contains="@"))


def _with_prize(winners: QuerySet[Winner]) -> QuerySet[Winner, dict[str, object]]:
    return people(
        winners,
        account="award__member",
        address="award__identity",
        name="entry__name",
        params={
            "prize": F("award__title"),
            "award": Cast("award__public_id", TextField()),
            "award_state": F("award__state"),
            "award_kind": F("award__kind"),
            "rank": F("rank"),
        },
    )


def winners(message: Message) -> QuerySet[Winner, dict[str, object]]:
    """The winners, each with the prize."""
    return _with_prize(_winners(message))


def late_claimers(message: Message) -> QuerySet[Winner, dict[str, object]]:
    """The winners who have not claimed yet."""
    return _with_prize(_winners(message).filter(award__state=Award.State.CLAIMABLE))


def claim_url(delivery: Delivery) -> str:
    """The page of the prize: by sign-in for a member, by a secret link for whoever has no account."""
    award = Award.objects.filter(public_id=delivery.params.get("award")).first()
    if award is None:
        path = reverse("draws:prizes")
    elif delivery.member_id is not None:
        path = source_of(award).claim_path(award)
    else:
        path = source_of(award).link_path(award, claim_token(award))
    return str(settings.SITE_URL) + path


def admins(message: Message) -> QuerySet[User, dict[str, object]]:
    """Super Admins and Manager Admins."""
    staff = User.objects.filter(is_active=True).filter(Q(is_superuser=True) | Q(groups__name__in=ADMIN_ROLES))
    return members(User.objects.filter(pk__in=staff.values("pk")))


def admins_and_sender(message: Message) -> QuerySet[User, dict[str, object]]:
    """Super Admins and Manager Admins, and whoever sent the file the message is about."""
    sender = EntryUpload.objects.filter(public_id=message.context["upload"]).values("by_id")
    told = Q(is_superuser=True) | Q(groups__name__in=ADMIN_ROLES) | Q(pk__in=sender)
    return members(User.objects.filter(pk__in=User.objects.filter(told, is_active=True).values("pk")))


def teased(message: Message) -> QuerySet[User, dict[str, object]]:
    """Members seen within 90 days who asked to hear of coming draws."""
    since = message.not_before - TEASER_AFTER_SIGN_IN
    return members(User.objects.filter(is_active=True, accepts_promotions=True, last_login__gte=since))


def may_still_enter(message: Message) -> QuerySet[User, dict[str, object]]:
    """Members whom the draw is for and who have not entered; those who don't want to hear of it are left out."""
    return members(who_may_still_enter(draw_of(message)))


def followers(message: Message) -> QuerySet[User, dict[str, object]]:
    """Members who entered another draw within a year; those in this one are told by other notices."""
    draw = draw_of(message)
    mine = Entry.objects.filter(member=OuterRef("pk"))
    since = message.not_before - FOLLOWS_FOR
    return members(
        User.objects.filter(is_active=True, accepts_promotions=True).filter(
            Exists(mine.filter(entered_at__gte=since).exclude(draw=draw)), ~Exists(mine.filter(draw=draw))
        )
    )


KINDS = (
    Kind(
        name="draws.entry_receipt",
        title=_("Receipt of an entry"),
        category=Category.TRANSACTIONAL,
        channels={Channel.IN_APP: Reach.EVERYONE},
        variables={**_ABOUT, "draw_at": dt.datetime},
        params={"pid": str, "tickets": int},
    ),
    Kind(
        name="draws.entries_frozen",
        title=_("Entries are frozen"),
        # Copies of the fingerprint in other people's mailboxes are the anchor of the proof: they go to members
        # too, can't be switched off, and nobody takes them back.
        category=Category.TRANSACTIONAL,
        irrevocable=True,
        channels=_BOTH,
        variables={**_ABOUT, "draw_at": dt.datetime, "manifest_sha256": str, "entries": int},
        params={"pid": str, "tickets": int},
        recipients=entrants,
    ),
    Kind(
        name="draws.entry_withdrawn",
        title=_("An entry was taken out"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={**_ABOUT, "reason": str},
        params={"pid": str},
    ),
    Kind(
        name="draws.entry_disqualified",
        title=_("An entry was disqualified"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={**_ABOUT, "reason": str},
        params={"pid": str},
    ),
    Kind(
        name="draws.winner_announcement",
        title=_("You won"),
        category=Category.TRANSACTIONAL,
        channels={**_BOTH, **_PHONES, **_DEVICE},
        variables=_WON,
        params=_PRIZE,
        links={"claim_url": claim_url},
        recipients=winners,
    ),
    Kind(
        name="draws.claim_reminder",
        title=_("A prize waits to be claimed"),
        category=Category.TRANSACTIONAL,
        channels={**_BOTH, **_PHONES, **_DEVICE},
        variables=_WON,
        params=_PRIZE,
        links={"claim_url": claim_url},
        recipients=late_claimers,
    ),
    Kind(
        name="draws.claim_link",
        title=_("The link to a prize, once more"),
        category=Category.TRANSACTIONAL,
        channels={Channel.EMAIL: Reach.EVERYONE},
        variables={**_ABOUT, "claim_until": dt.datetime},
        params={"prize": str, "award": str, "award_state": str},
        links={"claim_url": claim_url},
    ),
    Kind(
        name="draws.prize_forfeited",
        title=_("A prize was lost"),
        category=Category.TRANSACTIONAL,
        channels={**_BOTH, **_DEVICE},
        variables=_ABOUT,
        params={"prize": str, "ending": str, "reason": str},
    ),
    Kind(
        name="draws.slots_vacant",
        title=_("Prizes without a winner, for admins"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={**_ABOUT, "slots": int},
        recipients=admins,
        for_staff=True,
    ),
    Kind(
        name="draws.non_winner",
        title=_("Not this time"),
        category=Category.SERVICE,
        channels={**_INBOX_OR_MAIL, **_DEVICE},
        variables={**_ABOUT, "winners": int},
        params={"pid": str, "tickets": int},
        recipients=non_winners,
    ),
    Kind(
        name="draws.admin_summary",
        title=_("Summary of a draw, for admins"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={
            **_ABOUT,
            "winners": int,
            "entries": int,
            "awarded": str,
            "leftover": str,
            "unreachable": str,
        },
        recipients=admins,
        for_staff=True,
    ),
    Kind(
        name="draws.next_draw_teaser",
        title=_("The next draw"),
        category=Category.PROMOTIONAL,
        channels={**_IN_PUBLIC, **_DEVICE},
        variables={**_ABOUT, "closes_at": dt.datetime},
        recipients=teased,
    ),
    Kind(
        name="draws.execution_failed",
        title=_("A draw failed, for admins"),
        category=Category.TRANSACTIONAL,
        channels=_ALARM,
        variables={**_ABOUT, "error": str, "attempts": int, "next_attempt_at": dt.datetime},
        recipients=admins,
        for_staff=True,
    ),
    Kind(
        name="draws.freeze_failed",
        title=_("Entries could not be frozen, for admins"),
        category=Category.TRANSACTIONAL,
        channels=_ALARM,
        variables={**_ABOUT, "error": str, "attempts": int, "next_attempt_at": dt.datetime},
        recipients=admins,
        for_staff=True,
    ),
    Kind(
        name="draws.import_stopped",
        title=_("A file of entrants was not imported, for admins"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables={**_ABOUT, "upload": str, "file": str, "why": str, "page": str},
        recipients=admins_and_sender,
        for_staff=True,
    ),
    Kind(
        name="draws.draw_cancelled",
        title=_("A draw was cancelled"),
        category=Category.TRANSACTIONAL,
        channels={**_INBOX_OR_MAIL, **_DEVICE},
        variables={**_ABOUT, "reason": str},
        params={"pid": str, "tickets": int},
        recipients=entrants,
    ),
    Kind(
        name="draws.draw_called_off",
        title=_("A draw was called off after its entries were frozen"),
        category=Category.TRANSACTIONAL,
        channels={**_BOTH, **_DEVICE},
        variables={**_ABOUT, "reason": str},
        params={"pid": str, "tickets": int},
        recipients=entrants,
    ),
    Kind(
        name="draws.draw_changed",
        title=_("A draw was changed"),
        category=Category.TRANSACTIONAL,
        channels={**_INBOX_OR_MAIL, **_DEVICE},
        variables={**_ABOUT, "reason": str, "what": str, "closes_at": dt.datetime, "draw_at": dt.datetime},
        params={"pid": str, "tickets": int},
        recipients=entrants,
    ),
    Kind(
        name="draws.entries_close_soon",
        title=_("Entries close soon"),
        category=Category.PROMOTIONAL,
        channels={Channel.IN_APP: Reach.EVERYONE, **_DEVICE},
        variables={**_ABOUT, "closes_at": dt.datetime},
        recipients=may_still_enter,
    ),
    Kind(
        name="draws.draw_soon",
        title=_("Your draw is soon"),
        category=Category.SERVICE,
        channels={**_INBOX_OR_MAIL, **_PHONES, **_DEVICE},
        variables={**_ABOUT, "draw_at": dt.datetime},
        params={"pid": str, "tickets": int},
        recipients=entrants,
    ),
    Kind(
        name="draws.results_published",
        title=_("Results of a draw"),
        category=Category.PROMOTIONAL,
        channels={**_IN_PUBLIC, **_DEVICE},
        variables={**_ABOUT, "winners": int},
        recipients=followers,
    ),
    Kind(
        name="draws.check_failed",
        title=_("A drawn draw doesn't hold, for admins"),
        category=Category.TRANSACTIONAL,
        channels=_ALARM,
        variables={**_ABOUT, "differences": str},
        recipients=admins,
        for_staff=True,
    ),
    Kind(
        name="draws.draw_void",
        title=_("A draw is void, for admins"),
        category=Category.TRANSACTIONAL,
        channels=_BOTH,
        variables=_ABOUT,
        recipients=admins,
        for_staff=True,
    ),
)


def register_kinds() -> None:
    """Called once the apps are loaded."""
    for kind in KINDS:
        register(kind)
