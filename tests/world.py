"""One of everything that an address of the site can name, and a client for everybody who may come: for the nets.

What belongs to somebody belongs to Alice. Bob is the other member, who must not get at it.
"""

import datetime as dt
import io
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from django_celery_results.models import GroupResult, TaskResult

from accounts import roles
from accounts.models import FailedSignIn, SignedInSession
from accounts.privacy import person_at
from audit.models import Record, Seal
from audit.services import seal_new_records
from config.kinds import ERASURE_LINK
from config.models import Alarm
from config.privacy import request_erasure
from draws import services
from draws.models import (
    Award,
    DrawReport,
    Entry,
    EntryImport,
    ImportRejection,
    PrizeAddress,
    Voucher,
    Winner,
)
from notifications import kinds
from notifications.consent_kinds import CONFIRM
from notifications.handles import handle_of
from notifications.links import make_token
from notifications.mail_links import PREFERENCES, UNSUBSCRIBE
from notifications.mailbox import NewestMails
from notifications.models import (
    ConsentEvent,
    Correspondent,
    Delivery,
    Endpoint,
    Message,
    Preference,
    PushDevice,
    State,
    Stop,
    Suppression,
    SuppressionReason,
)
from notifications.recipients import Recipient
from notifications.segments import Condition
from notifications.services import notify, process_notifications
from notifications.services.audiences import save_segment
from notifications.services.broadcasts import save_broadcast, save_broadcast_words
from notifications.services.devices import add_device
from notifications.services.endpoints import add_endpoint
from notifications.services.preferences import stop_by_link
from notifications.services.sequence_writing import add_step, save_sequence, save_step_words
from notifications.services.suppressions import suppress_address
from notifications.services.wordings import save_words
from notifications.words.parts import Parts
from payments.models import Account, Approval, Dispute, LedgerEntry, Package, Posting, Refund, ReviewItem
from payments.standin.services import begin
from tests.api.keys import make_key
from tests.draws.factories import CASH, import_csv, make_draft, make_draw, make_executed, make_frozen
from tests.factories import admin, alice, bob, carol, make_user
from tests.fakes.push import FakeBrowser
from tests.payments.asking import ask
from tests.payments.shop import dispute, kept_event, paid, refund_of, withdrawal_of

MUG = ("Mug", "physical", 0, 2)
DINNER = ("Dinner for two", "voucher", 0, 2)


@dataclass(frozen=True)
class World:
    """`ids` has a value for each parameter of an address, by the name it has in the tables of the nets."""

    ids: dict[str, Any]


def build_world() -> World:
    """Make it, with Alice in each draw and something of hers in each state."""
    now = timezone.now()
    draft = make_draft(slug="a-draft")
    opened = make_draw(slug="open-draw", members=[alice(), bob()], entrants=2)
    import_csv(opened, "email,name\nnew@example.org,New\nnobody\n")
    upload = services.receive_upload(
        draw=opened, file=io.BytesIO(b"late@example.org\n"), file_name="late.csv", by=None, now=now
    ).upload
    frozen = make_frozen(slug="frozen-draw", members=[alice()], entrants=3)
    done = make_executed(slug="done-draw", members=[alice()], entrants=0, prizes=[CASH])
    things = make_executed(slug="things-draw", members=[alice()], entrants=0, prizes=[MUG])
    dinners = make_executed(slug="dinner-draw", members=[alice()], entrants=0, prizes=[DINNER])
    linked = make_executed(slug="linked-draw", entrants=1, prizes=[DINNER])
    waiting = Award.objects.get(about=things.about)
    dinner = services.claim_award(award=Award.objects.get(about=dinners.about), member=alice(), now=now)
    sent = make_executed(slug="sent-draw", members=[alice()], entrants=0, prizes=[MUG])
    services.claim_award(
        award=Award.objects.get(about=sent.about),
        member=alice(),
        now=now,
        address=services.Address(
            name="Alice Wanjiru",
            street="1 Market Street",
            city="Nairobi",
            postcode="00100",
            country="KE",
            phone="+254711000001",
        ),
    )
    ask(make_draft(slug="large-draft"))
    everybody = save_segment(
        segment=None, title="Everybody", conditions=[Condition("accounts.everybody")], by=admin(), now=now
    )
    broadcast = save_broadcast(
        broadcast=None,
        title="News",
        segment=everybody,
        category="service",
        channels=["in_app", "email"],
        send_at=now + dt.timedelta(days=1),
        expires_at=None,
        by=admin(),
        now=now,
    )
    hello = Parts(subject="Hello", text="Hello, {{ name }}.")
    save_broadcast_words(broadcast=broadcast, language="en", parts=hello, by=admin(), now=now)
    sequence = save_sequence(
        sequence=None, title="After", occasion="draws.entered", category="service", by=admin(), now=now
    )
    step = add_step(sequence=sequence, delay=dt.timedelta(days=1), channels=["email"], by=admin(), now=now)
    save_step_words(step=step, language="en", parts=hello, by=admin(), now=now)
    own_words = save_words(
        kind=kinds.get("draws.draw_soon"),
        language="sw",
        parts=Parts(subject="Hivi karibuni: {{ draw }}"),
        by=admin(),
        now=now,
    )
    while process_notifications(now=now).found_work:
        pass
    mail.get_connection("notifications.mailbox.MaildirBackend").send_messages(
        [
            mail.EmailMultiAlternatives(
                "Hello",
                "A mail.",
                to=["alice@example.com"],
                alternatives=[("<!doctype html><title>A mail</title><p>A mail.</p>", "text/html")],
            )
        ]
    )
    payment = paid(buyer=alice())
    refund_of(payment)
    dispute(paid(buyer=carol()))
    withdrawal = withdrawal_of(alice())
    seal_new_records(now=now + dt.timedelta(seconds=30))
    key = make_key(alice(), "entries:read").key
    leaving = request_erasure(person=person_at("leaving@example.org"), by=admin(), reason="Case 1", now=now)
    asked = Correspondent.objects.create(person_key="email:asked@example.org", promotions_asked_at=now)
    mail_to_alice = _wishes(now, number=0)
    device = _device(now, number=0)
    schedule, _ = IntervalSchedule.objects.get_or_create(every=5, period="seconds")
    letter = Delivery.objects.filter(member_id=alice().pk, channel="in_app").latest("pk")
    entry = LedgerEntry.objects.filter(postings__account__owner=alice(), kind="prize.paid").latest("pk")
    paying = begin(
        asked={"email": "alice@example.com", "amount": 40_000, "currency": "KES", "reference": "t-1"}, now=now
    )
    return World(
        {
            "checkout": paying.access_code,
            "draft": draft.slug,
            "open": opened.slug,
            "frozen": frozen.slug,
            "done": done.slug,
            "done_uuid": done.public_id,
            "frozen_uuid": frozen.public_id,
            "award": waiting.public_id,
            "token": services.claim_token(Award.objects.get(about=linked.about)),
            "receipt": entry.public_id,
            "letter": handle_of(letter.pk),
            "api_key": key.public_id,
            "mail": NewestMails()[0],
            "erasure_token": make_token(purpose=ERASURE_LINK, row=leaving.public_id, version=leaving.version),
            "accounts.erasure": leaving.pk,
            "push_device": device.public_id,
            "preferences_token": make_token(purpose=PREFERENCES, row=mail_to_alice.handle, version=1),
            "unsubscribe_token": make_token(purpose=UNSUBSCRIBE, row=mail_to_alice.handle, version=1),
            "confirm_token": make_token(purpose=CONFIRM, row=asked.public_id, version=asked.asked_version),
            "notifications.preference": Preference.objects.latest("pk").pk,
            "notifications.stop": Stop.objects.latest("pk").pk,
            "notifications.suppression": Suppression.objects.latest("pk").pk,
            "notifications.endpoint": Endpoint.objects.latest("pk").pk,
            "notifications.consentevent": ConsentEvent.objects.latest("pk").pk,
            "notifications.templateoverride": own_words.override_id,
            "notifications.segment": everybody.pk,
            "notifications.broadcast": broadcast.pk,
            "notifications.sequence": step.sequence_id,
            "step": step.pk,
            "language": "en",
            "analysis": "awarded-by-month",
            "no_key": "1",
            "session": SignedInSession.objects.create(
                session_key="of-alice-elsewhere",
                account=alice(),
                expire_date=now + dt.timedelta(days=1),
                created_at=now,
                last_seen_at=now,
            ).public_id,
            "accounts.apikey": key.pk,
            "accounts.failedsignin": FailedSignIn.objects.create(
                username=bob().email, ip_address="192.0.2.1", failures_since_start=1
            ).pk,
            "accounts.user": bob().pk,
            "auth.group": Group.objects.get(name=roles.FINANCE).pk,
            "account.emailaddress": EmailAddress.objects.get(email=bob().email).pk,
            "audit.record": Record.objects.latest("pk").pk,
            "audit.seal": Seal.objects.latest("pk").pk,
            "config.alarm": Alarm.objects.create(key="x", title="x", mend="x", raised_at=now).pk,
            "draws.draw": draft.pk,
            "draws.draw:open": opened.pk,
            "draws.draw:frozen": frozen.pk,
            "draws.draw:done": done.pk,
            "draws.entry": Entry.objects.filter(draw=opened).first().pk,
            "draws.winner": Winner.objects.filter(draw=done).get().pk,
            "draws.award": waiting.pk,
            "draws.voucher": Voucher.objects.get(award=dinner).pk,
            "draws.prizeaddress": PrizeAddress.objects.get().pk,
            "draws.drawreport": DrawReport.objects.get(draw=done).pk,
            "draws.entryupload": upload.pk,
            "draws.entryimport": EntryImport.objects.get().pk,
            "draws.importrejection": ImportRejection.objects.get().pk,
            "payments.approval": Approval.objects.get().pk,
            "payments.account": Account.objects.filter(owner=alice()).first().pk,
            "payments.ledgerentry": entry.pk,
            "payments.posting": Posting.objects.filter(entry=entry).first().pk,
            "payment": payment.public_id,
            "payments.payment": payment.pk,
            "payments.package": Package.objects.get().pk,
            "withdrawal": withdrawal.public_id,
            "payments.withdrawal": withdrawal.pk,
            "payments.refund": Refund.objects.get().pk,
            "payments.dispute": Dispute.objects.get().pk,
            "payments.reviewitem": ReviewItem.objects.get().pk,
            "payments.webhookevent": kept_event().pk,
            "notifications.message": Message.objects.latest("pk").pk,
            "notifications.delivery": letter.pk,
            "django_celery_beat.intervalschedule": schedule.pk,
            "django_celery_beat.periodictask": PeriodicTask.objects.get_or_create(
                name="a job", defaults={"task": "draws.tasks.check", "interval": schedule}
            )[0].pk,
            "mfa.authenticator": Authenticator.objects.create(user=carol(), type="totp", data={}).pk,
            "django_celery_beat.clockedschedule": ClockedSchedule.objects.create(clocked_time=now).pk,
            "django_celery_beat.crontabschedule": CrontabSchedule.objects.create().pk,
            "django_celery_beat.solarschedule": SolarSchedule.objects.create(
                event="sunrise", latitude=0, longitude=0
            ).pk,
            "django_celery_results.groupresult": GroupResult.objects.create(group_id="one").pk,
            "django_celery_results.taskresult": TaskResult.objects.create(task_id="one").pk,
        }
    )


def _device(now: dt.datetime, *, number: int) -> PushDevice:
    """A browser that Alice switched on; what is sent there goes nowhere (192.0.2.0/24 is for documents)."""
    said = FakeBrowser(f"https://192.0.2.1/push/{number}").subscription
    return add_device(
        member=alice(), endpoint=said["endpoint"], **said["keys"], user_agent="Firefox/140 (Android)", now=now
    )


def _wishes(now: dt.datetime, *, number: int) -> Delivery:
    """Alice has stopped something, and an address is suppressed; the delivery of a mail to her that can be stopped."""
    message = notify(
        kind="draws.draw_soon",
        about=f"draws.draw:{uuid.uuid4()}",
        context={"draw": "A draw", "slug": "a-draw", "draw_at": now},
        recipients=[Recipient.of(alice(), params={"pid": "00", "tickets": 1})],
        not_before=now,
        idem_key=f"wishes:{number}",
        now=now,
    )
    copy = Delivery.objects.get(message=message, channel="in_app")  # her browser may have one, too
    mailed = Delivery.objects.create(
        message=message,
        recipient_key=copy.recipient_key,
        member_id=alice().pk,
        channel="email",
        address="alice@example.com",
        language="en",
        time_zone="Africa/Nairobi",
        params=copy.params,
        state=State.HANDED,
        next_attempt_at=now,
        created_at=now,
        handed_at=now,
    )
    stop_by_link(delivery=mailed, whole_kind=False, source="test", now=now)
    Preference.objects.create(
        person_key=f"email:off{number}@example.org",
        kind="draws.draw_soon",
        channel="email",
        is_on=False,
        changed_at=now,
    )
    add_endpoint(
        name=f"Discord, #draws {number}",
        url="https://hooks.example.org/fairground",
        told=["draws.results_published"],
        about="",
        by=admin(),
        now=now,
    )
    suppress_address(
        address=f"gone{number}@example.org",
        channel="email",
        reason=SuppressionReason.BOUNCE,
        by=None,
        now=now,
    )
    return mailed


def fill_world(numbers: Iterable[int]) -> None:
    """More of what lists show, as often as there are `numbers`: lists must not ask the database once for each row."""
    now = timezone.now()
    for number in numbers:
        people = [alice(), bob(), carol()]
        opened = make_draw(slug=f"more-open-{number}", members=people, entrants=2)
        import_csv(opened, f"email,name\nnew{number}@example.org,New\nnobody{number}\n")
        services.receive_upload(
            draw=make_draw(slug=f"more-upload-{number}"),
            file=io.BytesIO(b"later@example.org\n"),
            file_name="later.csv",
            by=admin(),
            now=now,
        )
        make_frozen(slug=f"more-frozen-{number}", members=people)
        make_executed(slug=f"more-done-{number}", members=people, entrants=0, prizes=[CASH])
        make_executed(slug=f"more-things-{number}", members=[alice()], entrants=0, prizes=[MUG])
        dinner = make_executed(slug=f"more-dinner-{number}", members=[alice()], entrants=0, prizes=[DINNER])
        services.claim_award(award=Award.objects.get(about=dinner.about), member=alice(), now=now)
        ask(make_draft(slug=f"more-large-{number}"), idem_key=f"more:{number}")
        make_key(alice(), "entries:read")
        request_erasure(
            person=person_at(f"leaving{number}@example.org"), by=admin(), reason=f"Case 2.{number}", now=now
        )
        _wishes(now, number=number)
        _device(now, number=number)
        Alarm.objects.create(key=f"more-{number}", title="x", mend="x", raised_at=now)
        FailedSignIn.objects.create(
            username=f"bob{number}@example.org", ip_address="192.0.2.1", failures_since_start=1
        )
        SignedInSession.objects.create(
            session_key=f"of-alice-elsewhere-{number}",
            account=alice(),
            expire_date=now + dt.timedelta(days=1),
            created_at=now,
            last_seen_at=now,
        )
        PeriodicTask.objects.create(
            name=f"another job {number}", task="draws.tasks.check", interval=IntervalSchedule.objects.first()
        )
        TaskResult.objects.create(task_id=f"more-{number}")
    while process_notifications(now=now).found_work:
        pass
    seal_new_records(now=now + dt.timedelta(seconds=60))


ROLES = {
    "visitor": None,
    "alice": alice,
    "bob": bob,
    "operator": lambda: make_user(role=roles.OPERATOR),
    "host": lambda: make_user(role=roles.HOST),
    "support": lambda: make_user(role=roles.SUPPORT_LEAD, is_staff=True),
    "finance": lambda: make_user(role=roles.FINANCE, is_staff=True),
    "manager": lambda: make_user(role=roles.MANAGER_ADMIN, is_staff=True),
    "super": lambda: make_user(role=roles.SUPER_ADMIN, is_staff=True),
}


def client_of(role: str) -> Client:
    """A client of somebody with this role, signed in but for the visitor."""
    client = Client(raise_request_exception=True)
    who = ROLES[role]
    if who is not None:
        client.force_login(who())
    return client
