"""A life on the site that leaves a trace of every kind, and where its traces are found."""

import datetime as dt
import json

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Erasure, SignedInSession, User
from accounts.privacy import person_of
from accounts.scopes import scopes_for
from config import privacy
from config.privacy import erase_due_people, request_erasure
from draws import services
from draws.models import Award, Draw
from notifications.models import SuppressionReason
from notifications.recipients import Recipient
from notifications.services.answering import take_answer
from notifications.services.expansion import expand_due_messages
from notifications.services.preferences import save_preferences
from notifications.services.proving import ask_for_code, digits_of, prove_phone
from notifications.services.suppressions import suppress_address
from payments.adjustments import adjust_wallet
from payments.services import webhook
from tests.draws.factories import (
    CASH,
    HOUR,
    VOUCHER,
    add_entry,
    import_csv,
    make_draw,
    make_executed,
)
from tests.draws.test_claim import ADDRESS, BICYCLE
from tests.factories import admin, alice
from tests.payments.asking import ABOVE, fatma
from tests.payments.shop import make_payment

WEEK = dt.timedelta(days=8)
LATE = dt.timedelta(days=15)
WORDS = (
    "alice@example.com",
    "alice.at.work@example.com",
    "alice.unsure@example.com",
    "Alice Wanjiru",
    "+254711000001",
    ADDRESS.name,
    ADDRESS.street,
    ADDRESS.phone,
    "192.0.2.77",
)


def found_in_tables(word: str) -> set[str]:
    """Every column of every table in which `word` stands, whatever its case and type."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT table_name, column_name, data_type FROM information_schema.columns
            JOIN information_schema.tables USING (table_schema, table_name)
            WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
                AND data_type IN ('text', 'character varying', 'character', 'json', 'jsonb', 'ARRAY', 'inet', 'bytea')
            """
        )
        columns = cursor.fetchall()
        assert len(columns) > 100
        found = set()
        for table, column, of_type in columns:
            text = f"encode({column}, 'escape')" if of_type == "bytea" else f'"{column}"::text'
            cursor.execute(
                f'SELECT 1 FROM "{table}" WHERE position(%s IN lower({text})) > 0 LIMIT 1', [word.lower()]
            )
            if cursor.fetchone():
                found.add(f"{table}.{column}")
    return found


def everywhere() -> dict[str, set[str]]:
    """Where each of Alice's words stands; and whether a session is hers, whose data no search would find."""
    found = {word: columns for word in WORDS if (columns := found_in_tables(word))}
    if SignedInSession.objects.filter(account__public_id=PUBLIC_ID[0]).exists():
        found["session"] = {"accounts_signedinsession"}
    return found


PUBLIC_ID: list = []


def live_a_life() -> dict[str, Draw]:
    """Alice does everything that leaves a trace; returns the draws she is in."""
    member = alice()
    PUBLIC_ID[:] = [member.public_id]
    member.birth_date = dt.date(1990, 5, 17)
    member.set_password("correct horse battery")
    member.save()
    for email, verified in (("Alice.At.Work@example.com", True), ("alice.unsure@example.com", False)):
        EmailAddress.objects.create(user=member, email=email, verified=verified, primary=False)
    # She shows that her number is hers, and later wants no SMS.
    code = ask_for_code(member=member, now=timezone.now())
    prove_phone(member=member, digits=digits_of(code.public_id), now=timezone.now())
    take_answer(channel="sms", number=member.phone, text="STOP", provider_id="SM1", now=timezone.now())
    client = Client(REMOTE_ADDR="192.0.2.77")
    wrong = {"login": member.email, "password": "wrong"}
    client.post(reverse("account_login"), {**wrong, "password": "correct horse battery"})
    Client(REMOTE_ADDR="192.0.2.77").post(reverse("account_login"), wrong)  # and once she mistypes
    key = {"name": "Alice Wanjiru's script", "scopes": [scopes_for(member)[0].name], "days": "90"}
    client.post(reverse("api-keys"), key)
    Authenticator.objects.create(user=member, type="totp", data={"secret": "x"})
    draws = {"open": make_draw(entrants=3)}
    client.post(reverse("draws:enter", args=[draws["open"].slug]))
    import_csv(draws["open"], "alice@example.com,Alice Wanjiru,zero\nnew@example.org,,1\n")
    # What can't be read is quoted where it is refused: in the report, on the upload, in what staff are told.
    import_csv(draws["open"], "Alice Wanjiru <alice@example.com>\nanother@example.org\n")
    unreadable = ContentFile(b"email\nAlice Wanjiru <alice@example.com>\n")
    services.receive_upload(
        draw=draws["open"], file=unreadable, file_name="people.csv", by=admin(), now=timezone.now()
    )
    services.import_due_uploads(now=timezone.now())
    draws["frozen"] = make_draw(entrants=5, closes_in=-2 * HOUR, prizes=[CASH])
    add_entry(draws["frozen"], member.email, weight=1_000_000_000, member=member)
    services.freeze_draw(draw_id=draws["frozen"].pk, now=draws["frozen"].closes_at)
    draws["frozen"].refresh_from_db()
    draws["paid"] = make_executed(entrants=0, members=[member], prizes=[CASH])
    draws["voucher"] = make_executed(members=[member], entrants=0, prizes=[VOUCHER])
    award = Award.objects.get(about=draws["voucher"].about)
    services.claim_award(award=award, member=member, now=award.created_at)
    # An outsider's prize, won under her second address, and claimed with an address to send it to.
    draws["outside"] = make_draw(entrants=0, closes_in=-2 * HOUR, prizes=[BICYCLE])
    add_entry(draws["outside"], "alice.at.work@example.com", weight=1_000_000_000)
    add_entry(draws["outside"], "next@example.org")
    services.freeze_draw(draw_id=draws["outside"].pk, now=draws["outside"].closes_at)
    services.execute_draw(draw_id=draws["outside"].pk, now=draws["outside"].draw_at + HOUR)
    award = Award.objects.get(about=draws["outside"].about)
    services.claim_award(award=award, member=member, address=ADDRESS, now=award.created_at)
    # Staff: a change in the admin, and an act with her wallet that waits for a second person.
    LogEntry.objects.create(
        user=admin(),
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(member.pk),
        object_repr=str(member),
        action_flag=CHANGE,
        change_message="[]",
    )
    adjust_wallet(
        member=member,
        unit="KES",
        amount=ABOVE,
        by=fatma(),
        reason="Case 17",
        idem_key="a",
        now=timezone.now(),
    )
    # What she wants to be told: on the page, as an outsider under her second address, which then bounced.
    client.post(reverse("notifications:preferences"), {"promotions": "on"})
    save_preferences(
        who=Recipient(address="alice.at.work@example.com"),
        offered=[("draws.draw_soon", "email")],
        wanted=[],
        promotions=True,
        quiet_hours=None,
        source="test",
        now=timezone.now(),
    )
    suppress_address(
        address="Alice.At.Work@example.com",
        channel="email",
        reason=SuppressionReason.BOUNCE,
        note="alice.at.work@example.com does not exist",
        by=None,
        now=timezone.now(),
    )
    payer = {"email": member.email, "first_name": member.display_name, "phone": "+254711000001"}
    told = {"reference": make_payment(buyer=member).reference, "customer": payer, "ip_address": "192.0.2.77"}
    webhook.receive(body=json.dumps({"event": "charge.pending", "data": told}).encode(), now=timezone.now())
    while expand_due_messages(now=timezone.now() + dt.timedelta(days=30)):
        pass
    return draws


def request(member=None, **fields) -> Erasure:
    member = member or alice()
    return request_erasure(person=person_of(member), by=member, now=timezone.now(), **fields)


def erase(member=None) -> User:
    """Ask for it and let the week pass."""
    member = member or alice()
    request(member, gives_up_wallet=True)
    assert erase_due_people(now=timezone.now() + WEEK) == privacy.ErasureSummary(erased=1)
    member.refresh_from_db()
    return member


def alice_erased() -> User:
    return User.objects.get(public_id=PUBLIC_ID[0])
