"""Who finds what: one row for each address of the site. `tests/test_permissions.py` asks them all.

A row gives what each of nine people gets, in this order: a visitor, Alice (whose things they are), Bob (the other
member), an operator, a host, and of the staff support, finance, manager and Super Admin.

| letter | the answer                                                                       |
|--------|----------------------------------------------------------------------------------|
| `.`    | 200                                                                              |
| `*`    | they get in: done, refused for what was sent (nothing was), or led on            |
| `?`    | allauth's own pages: led on, or told that there is nothing to do; never more     |
| `s`    | led to the sign-in                                                               |
| `-`    | 404: what one has no right to isn't there                                        |
| `1`    | 401                                                                              |
| `5`    | 405                                                                              |

A new address has to get a row here. Think about each letter: it is the only place where somebody does.
"""

from dataclasses import dataclass

WHO = ("visitor", "alice", "bob", "operator", "host", "support", "finance", "manager", "super")

EVERYONE = "........."
MEMBERS = "s........"
HERS = "s.-------"  # Alice's alone: another's object isn't there, and staff have their own pages for it
NOBODY = "---------"
NO_POST = "555555555"
LED_NO_POST = "s55555555"


@dataclass(frozen=True)
class Row:
    """`get` and `post`: nine letters each; `ids`: which things of the world stand in the address, by parameter."""

    get: str
    post: str = NO_POST
    ids: tuple[tuple[str, str], ...] = ()


def row(get: str, post: str = NO_POST, **ids: str) -> Row:
    """A row; `ids` maps a parameter of the address to a name in `tests/world.py`."""
    return Row(get, post, tuple(ids.items()))


PAGES = {
    "": row(EVERYONE),
    "draws/": row(EVERYONE),
    "draws/fairness/": row(EVERYONE),
    "draws/<slug:slug>/": row(EVERYONE, slug="open"),
    "draws/<slug:slug>/enter/": row(LED_NO_POST, "s********", slug="open"),
    "draws/<slug:slug>/leave/": row(LED_NO_POST, "s********", slug="open"),
    "draws/<slug:slug>/receipt/": row(HERS, LED_NO_POST, slug="done"),
    "draws/<slug:slug>/live/": row(EVERYONE, slug="open"),
    "draws/<slug:slug>/results/": row(EVERYONE, slug="done"),
    "draws/<slug:slug>/verify/": row(EVERYONE, slug="done"),
    "draws/<slug:slug>/proof.json": row(EVERYONE, slug="done"),
    "draws/<slug:slug>/manifest.json": row(EVERYONE, slug="done"),
    "draws/<slug:slug>/entries.csv": row(EVERYONE, slug="done"),
    "draws/<slug:slug>/prizes/<slug:code>-<slug:version>.webp": row(
        NOBODY, slug="done", code="no_key", version="no_key"
    ),  # its prizes have no pictures: test_pictures.py
    "verify_draw.py": row(EVERYONE),
    "prizes/": row(MEMBERS, LED_NO_POST),
    "prizes/<uuid:award_id>/": row(HERS, "s*-------", award_id="award"),
    "prizes/<uuid:award_id>/decline/": row(HERS, "s*-------", award_id="award"),
    "prizes/claim/<str:token>/": row(EVERYONE, "*********", token="token"),
    "prizes/claim/<str:token>/decline/": row(EVERYONE, "*********", token="token"),
    "dashboard/": row(MEMBERS, LED_NO_POST),
    "wallet/": row(MEMBERS, LED_NO_POST),
    "wallet/withdraw/": row(MEMBERS, MEMBERS),
    "wallet/withdraw/<uuid:public_id>/cancel/": row(LED_NO_POST, "s*-------", public_id="withdrawal"),
    "wallet/statement.csv": row(HERS, LED_NO_POST),  # who has no wallet has no statement of it
    "wallet/receipts/<uuid:public_id>/": row(HERS, LED_NO_POST, public_id="receipt"),
    "credits/": row(MEMBERS, "s********"),
    "payments/": row(MEMBERS, LED_NO_POST),
    "payments/callback/": row(NOBODY),  # without a reference there is nothing; test_buying_pages.py gives one
    "payments/<uuid:public_id>/": row(HERS, LED_NO_POST, public_id="payment"),
    "webhooks/paystack/": row(NO_POST, "111111111"),  # without a signature nobody speaks
    "webhooks/mailgun/": row(NO_POST, "111111111"),
    "inbox/": row(MEMBERS, LED_NO_POST),
    "inbox/read/": row(LED_NO_POST, "s********"),
    "inbox/live/": row("1........"),
    "inbox/<uuid:handle>/": row(HERS, LED_NO_POST, handle="letter"),
    "preferences/": row(MEMBERS, "s********"),
    "preferences/revoke-links/": row(LED_NO_POST, "s********"),
    "preferences/<str:token>/": row(EVERYONE, "*********", token="preferences_token"),
    "preferences/confirm/<str:token>/": row(EVERYONE, "*********", token="confirm_token"),
    "unsubscribe/<str:token>/": row(EVERYONE, EVERYONE, token="unsubscribe_token"),
    "push-worker.js": row(EVERYONE),
    "push/devices/": row("1........", "1********"),
    "push/devices/<uuid:public_id>/remove/": row(LED_NO_POST, "s*-------", public_id="push_device"),
    "accounts/phone/": row(MEMBERS, MEMBERS),
    "webhooks/twilio/status/<str:key>/": row(
        NO_POST, NOBODY, key="no_key"
    ),  # without Twilio's settings nobody is there
    "webhooks/twilio/inbound/": row(NO_POST, NOBODY),
    "dev/mailbox/": row(EVERYONE),  # there only in embedded mode: test_mailbox.py
    "dev/mailbox/<str:key>/": row(EVERYONE, key="mail"),
    "dev/mailbox/<str:key>/html/": row(EVERYONE, key="mail"),
    "dev/components/": row(EVERYONE),  # there only in embedded mode: test_components_page.py
    "healthz": row(EVERYONE, EVERYONE),
    "readyz": row(EVERYONE),
    "metrics": row(NOBODY),  # no token is set in the tests' settings; test_probes.py sets one
}

KEYED = row("111111111", "111111111")  # Paystack's addresses: the key opens them, and no session does
# There only where there is no key of Paystack's: tests/payments/standin/test_without.py.
STANDIN = {
    "standin/paystack/transaction/initialize": KEYED,
    "standin/paystack/transaction/verify/<str:reference>": row("111111111", "111111111", reference="no_key"),
    "standin/paystack/transaction": KEYED,
    "standin/paystack/refund": KEYED,
    "standin/paystack/transferrecipient": KEYED,
    "standin/paystack/transfer": KEYED,
    "standin/paystack/transfer/verify/<str:reference>": row("111111111", "111111111", reference="no_key"),
    "standin/paystack/bank": KEYED,
    "standin/paystack/checkout/<slug:access_code>/": row(EVERYONE, "*********", access_code="checkout"),
}

ACCOUNTS = {
    "accounts/profile/": row(MEMBERS, "s********"),
    "accounts/api-keys/": row(MEMBERS, "s********"),
    "accounts/api-keys/<uuid:key_id>/revoke/": row(LED_NO_POST, "s*-------", key_id="api_key"),
    "accounts/data/": row(MEMBERS, LED_NO_POST),
    "accounts/data/download/": row(MEMBERS, LED_NO_POST),
    "accounts/data/erase/": row(MEMBERS, "s********"),
    "accounts/erasure/<str:token>/": row(EVERYONE, "*********", token="erasure_token"),
    "accounts/login/": row(".********", ".********"),
    "accounts/logout/": row("*........", "*********"),
    "accounts/inactive/": row(EVERYONE),
    "accounts/signup/": row(".********", ".********"),
    "accounts/reauthenticate/": row("s????????", "s????????"),
    "accounts/email/": row("s********", "s********"),
    "accounts/confirm-email/": row(EVERYONE),
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": row(EVERYONE, NOBODY, key="no_key"),
    "accounts/password/change/": row("s********", "s********"),
    "accounts/password/set/": row("s********", "s********"),
    "accounts/password/reset/": row(EVERYONE, "*********"),
    "accounts/password/reset/done/": row(EVERYONE),
    "accounts/password/reset/key/done/": row(EVERYONE),
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": row(
        EVERYONE, "*********", uidb36="no_key", key="no_key"
    ),
    "accounts/login/code/confirm/": row("s????????", "s????????"),
    "accounts/2fa/": row("s????????", "s????????"),
    "accounts/2fa/authenticate/": row("s????????", "s????????"),
    "accounts/2fa/reauthenticate/": row("s????????", "s????????"),
    "accounts/2fa/totp/activate/": row("s????????", "s????????"),
    "accounts/2fa/totp/deactivate/": row("s????????", "s????????"),
    "accounts/2fa/recovery-codes/": row("s????????", "s????????"),
    "accounts/2fa/recovery-codes/generate/": row("s????????", "s????????"),
    "accounts/2fa/recovery-codes/download/": row("s????????", "s????????"),
    "accounts/2fa/webauthn/": row("s????????", "s????????"),
    "accounts/2fa/webauthn/add/": row("s????????", "s????????"),
    "accounts/2fa/webauthn/login/": row("s????????", "s????????"),
    "accounts/2fa/webauthn/reauthenticate/": row("s????????", "s????????"),
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": row("s????????", "s????????", pk="mfa.authenticator"),
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": row("s????????", "s????????", pk="mfa.authenticator"),
    "accounts/sessions/": row(MEMBERS, LED_NO_POST),
    "accounts/sessions/end-others/": row(LED_NO_POST, "s********"),
    "accounts/sessions/<uuid:session_id>/end/": row(LED_NO_POST, "s*-------", session_id="session"),
    # No token is set in the tests' settings; test_setup_page.py sets one.
    "setup/": row(NOBODY, NOBODY),
}

API = {
    "api/draws/": row(EVERYONE),
    "api/draws/due/": row("1-----...", "1-----555"),
    "api/draws/health/": row("1-----...", "1-----555"),
    "api/draws/entries/": row("1........", "155555555"),
    "api/draws/<uuid:draw_id>/status/": row("1-----...", "1-----555", draw_id="done_uuid"),
    "api/draws/<uuid:draw_id>/execute/": row("1-------5", "1-------*", draw_id="frozen_uuid"),
    "api/draws/<slug:slug>/": row(EVERYONE, slug="done"),
    "api/draws/<slug:slug>/winners/": row(EVERYONE, slug="done"),
    "api/draws/<slug:slug>/proof/": row(EVERYONE, slug="done"),
    "api/draws/<slug:slug>/entries/": row("1.-------", "1********", slug="done"),
    "api/packages/": row(EVERYONE),
    "api/payments/reconcile/": row("1-----5-5", "1-----*-*"),
    "api/payments/webhook/": row(NO_POST, "111111111"),
    # No secret is set in the tests' settings; test_cron.py sets one.
    "api/track/notification/<uuid:handle>/open/": row(EVERYONE, handle="letter"),
    "api/track/notification/<uuid:handle>/click/": row(NOBODY, handle="letter"),  # without a target
    "api/cron/freeze-draws/": row(NOBODY, NOBODY),
    "api/cron/execute-draws/": row(NOBODY, NOBODY),
    "api/cron/send-notifications/": row(NOBODY, NOBODY),
    "api/schema/": row(EVERYONE),
    "api/docs/": row(EVERYONE),
}


def staff(letters: str, get: str = ".", otherwise: str = "-") -> str:
    """Nine letters for a page of the admin that the staff in `letters` reach: S, F, M, X as in the table's head."""
    return "s----" + "".join(get if letter in letters else otherwise for letter in "SFMX")


def act(letters: str, **ids: str) -> Row:
    """A page of the admin with a button, for the staff in `letters`; both methods are theirs alone."""
    return row(staff(letters, "*"), staff(letters, "*"), **ids)


@dataclass(frozen=True)
class Model:
    """The admin's pages of one table: who sees its list and rows, who adds, changes, deletes."""

    view: str
    add: str = ""
    change: str = ""
    delete: str = ""


MODELS = {
    "audit.record": Model(view="FMX"),
    "audit.seal": Model(view="FMX"),
    "config.alarm": Model(view="MX"),
    "accounts.user": Model(view="SFMX", add="X", change="X"),
    "accounts.apikey": Model(view="X"),
    "accounts.erasure": Model(view="X"),
    "accounts.failedsignin": Model(view="SX"),
    "auth.group": Model(view="X"),
    "draws.award": Model(view="FMX"),
    "draws.voucher": Model(view="MX"),
    "draws.prizeaddress": Model(view="MX"),
    "draws.draw": Model(view="FMX", add="MX", change="MX"),
    "draws.entry": Model(view="MX"),
    "draws.winner": Model(view="MX"),
    "draws.drawreport": Model(view="MX"),
    "draws.entryimport": Model(view="MX"),
    "draws.entryupload": Model(view="MX"),
    "draws.importrejection": Model(view="MX"),
    "payments.approval": Model(view="FMX"),
    "payments.account": Model(view="FX"),
    "payments.ledgerentry": Model(view="FX"),
    "payments.posting": Model(view="FX"),
    "payments.package": Model(view="FX", add="FX", change="FX"),
    "payments.payment": Model(view="FX"),
    "payments.refund": Model(view="FX"),
    "payments.withdrawal": Model(view="FX"),
    "payments.dispute": Model(view="FX"),
    "payments.webhookevent": Model(view="FX"),
    "payments.reviewitem": Model(view="FX"),
    "notifications.message": Model(view="SMX"),
    "notifications.delivery": Model(view="SMX"),
    "notifications.preference": Model(view="SMX"),
    "notifications.stop": Model(view="SMX"),
    "notifications.suppression": Model(view="SMX"),
    "notifications.consentevent": Model(view="SMX"),
    "notifications.segment": Model(view="MX", add="MX", change="MX"),
    "notifications.broadcast": Model(view="MX", add="MX", change="MX"),
    "notifications.sequence": Model(view="MX", add="MX", change="MX"),
    "notifications.templateoverride": Model(view="SMX", add="MX", change="MX"),
    "notifications.endpoint": Model(view="MX"),
    "account.emailaddress": Model(view=""),
    "django_celery_beat.periodictask": Model(view="X", change="X"),
    "django_celery_beat.intervalschedule": Model(view="X", add="X"),
    "django_celery_beat.clockedschedule": Model(view=""),
    "django_celery_beat.crontabschedule": Model(view=""),
    "django_celery_beat.solarschedule": Model(view=""),
    "django_celery_results.taskresult": Model(view="X"),
    "django_celery_results.groupresult": Model(view=""),
}

ACTS = {
    "admin/": row(staff("SFMX"), staff("SFMX")),
    "admin/login/": row("s--------", "s--------"),
    "admin/logout/": row("*----5555", "*----****"),
    "admin/search/": row(staff("SFMX"), staff("SFMX")),
    "admin/password_change/": row(staff("SFMX"), staff("SFMX")),
    "admin/password_change/done/": row(staff("SFMX"), staff("SFMX", "5")),
    "admin/autocomplete/": row(staff(""), staff("SFMX", "5")),
    "admin/jsi18n/": row(staff("SFMX"), staff("SFMX", "5")),
    "admin/r/<path:content_type_id>/<path:object_id>/": row(
        staff(""), staff(""), content_type_id="no_key", object_id="no_key"
    ),
    "admin/draws/analytics/": act("MX"),
    "admin/draws/analytics/<slug:name>.csv": act("MX", name="analysis"),
    "admin/payments/figures/": row(staff("FX"), staff("FX")),
    "admin/audit/seal/seal-now/": act("FMX"),
    "admin/config/alarm/look-now/": act("MX"),
    "admin/accounts/user/<id>/password/": act("X", id="accounts.user"),
    "admin/accounts/user/<path:object_id>/erase/": act("X", object_id="accounts.user"),
    "admin/accounts/erasure/ask/": act("X"),
    "admin/accounts/erasure/erase-now/": act("X"),
    "admin/accounts/erasure/<path:object_id>/call-off/": act("X", object_id="accounts.erasure"),
    "admin/draws/award/expire-now/": act("MX"),
    "admin/draws/award/<path:object_id>/replace/": act("MX", object_id="draws.award"),
    "admin/draws/award/<path:object_id>/sent/": act("MX", object_id="draws.award"),
    "admin/draws/award/<path:object_id>/revoke/": act("MX", object_id="draws.award"),
    "admin/draws/award/<path:object_id>/resend/": act("MX", object_id="draws.award"),
    "admin/draws/award/<path:object_id>/show-link/": act("MX", object_id="draws.award"),
    "admin/draws/award/<path:object_id>/erase-address/": act("MX", object_id="draws.award"),
    "admin/draws/entry/<path:object_id>/withdraw/": act("MX", object_id="draws.entry"),
    "admin/draws/entry/<path:object_id>/disqualify/": act("MX", object_id="draws.entry"),
    "admin/draws/entryimport/<path:object_id>/withdraw/": act("MX", object_id="draws.entryimport"),
    "admin/draws/voucher/redeem/": act("MX"),
    "admin/draws/draw/<int:draw_id>/rehearsal/": act("FMX", draw_id="draws.draw:open"),
    "admin/draws/draw/<path:object_id>/publish/": act("MX", object_id="draws.draw"),
    "admin/draws/draw/<path:object_id>/fund/": act("FMX", object_id="draws.draw"),
    "admin/draws/draw/<path:object_id>/return-money/": act("FMX", object_id="draws.draw"),
    "admin/draws/draw/<path:object_id>/import/": act("MX", object_id="draws.draw:open"),
    "admin/draws/draw/<path:object_id>/amend/": act("MX", object_id="draws.draw:open"),
    "admin/draws/draw/<path:object_id>/freeze/": act("MX", object_id="draws.draw:open"),
    "admin/draws/draw/<path:object_id>/enter-text/": act("MX", object_id="draws.draw:frozen"),
    "admin/draws/draw/<path:object_id>/confirm-text/": act("MX", object_id="draws.draw:frozen"),
    "admin/draws/draw/<path:object_id>/execute/": act("X", object_id="draws.draw:frozen"),
    "admin/draws/draw/<path:object_id>/extend/": act("MX", object_id="draws.draw:done"),
    "admin/draws/draw/<path:object_id>/close/": act("MX", object_id="draws.draw:done"),
    "admin/draws/draw/<path:object_id>/check/": act("MX", object_id="draws.draw:done"),
    "admin/draws/draw/<path:object_id>/resume/": act("MX", object_id="draws.draw:done"),
    "admin/draws/draw/<path:object_id>/cancel/": act("MX", object_id="draws.draw:open"),
    "admin/draws/draw/<path:object_id>/call-off/": act("X", object_id="draws.draw:frozen"),
    "admin/draws/draw/<path:object_id>/draw-up/": act("MX", object_id="draws.draw:frozen"),
    "admin/draws/entryupload/<int:upload_id>/progress/": row(
        "-------..", "-------..", upload_id="draws.entryupload"
    ),
    "admin/draws/entryupload/<int:upload_id>/retry/": row(
        "s------55", "s------**", upload_id="draws.entryupload"
    ),
    "admin/draws/entryimport/<int:import_id>/rejected.csv": act("MX", import_id="draws.entryimport"),
    "admin/payments/approval/<path:object_id>/approve/": act("FX", object_id="payments.approval"),
    "admin/payments/approval/<path:object_id>/reject/": act("FX", object_id="payments.approval"),
    # Whoever sees it is led on to it; only who asked may take it back: test_approval_pages.py.
    "admin/payments/approval/<path:object_id>/withdraw/": act("FMX", object_id="payments.approval"),
    "admin/payments/account/adjust/": act("FX"),
    "admin/payments/account/<path:object_id>/adjust-this/": act("FX", object_id="payments.account"),
    "admin/payments/payment/<path:object_id>/reconcile/": act("FX", object_id="payments.payment"),
    "admin/payments/payment/<path:object_id>/refund/": act("FX", object_id="payments.payment"),
    "admin/payments/withdrawal/<path:object_id>/approve/": act("FX", object_id="payments.withdrawal"),
    "admin/payments/withdrawal/<path:object_id>/reject/": act("FX", object_id="payments.withdrawal"),
    "admin/payments/withdrawal/<path:object_id>/paid-by-hand/": act("FX", object_id="payments.withdrawal"),
    "admin/payments/withdrawal/<path:object_id>/send-again/": act("FX", object_id="payments.withdrawal"),
    "admin/payments/webhookevent/<path:object_id>/work-on/": act("FX", object_id="payments.webhookevent"),
    "admin/payments/reviewitem/<path:object_id>/take/": act("FX", object_id="payments.reviewitem"),
    "admin/payments/reviewitem/<path:object_id>/note/": act("FX", object_id="payments.reviewitem"),
    "admin/payments/reviewitem/<path:object_id>/resolve/": act("FX", object_id="payments.reviewitem"),
    "admin/notifications/message/<path:object_id>/cancel/": act("MX", object_id="notifications.message"),
    "admin/notifications/delivery/process-now/": act("MX"),
    "admin/notifications/segment/count/": act("MX"),
    "admin/notifications/broadcast/preview/": act("MX"),
    "admin/notifications/broadcast/<int:object_id>/words/<slug:language>/": row(
        staff("MX"), staff("MX", "*"), object_id="notifications.broadcast", language="language"
    ),
    "admin/notifications/broadcast/<int:object_id>/schedule/": act("MX", object_id="notifications.broadcast"),
    "admin/notifications/broadcast/<int:object_id>/cancel/": act("MX", object_id="notifications.broadcast"),
    "admin/notifications/broadcast/<int:object_id>/copy/": act("MX", object_id="notifications.broadcast"),
    "admin/notifications/sequence/<int:object_id>/add-step/": row(
        staff("MX"), staff("MX", "*"), object_id="notifications.sequence"
    ),
    "admin/notifications/sequence/<int:object_id>/switch/": act("MX", object_id="notifications.sequence"),
    "admin/notifications/sequence/steps/<int:step_id>/words/<slug:language>/": row(
        staff("MX"), staff("MX", "*"), step_id="step", language="language"
    ),
    "admin/notifications/sequence/steps/<int:step_id>/retire/": act("MX", step_id="step"),
    "admin/notifications/templateoverride/preview/": act("SMX"),
    "admin/notifications/templateoverride/<int:object_id>/restore/": act(
        "MX", object_id="notifications.templateoverride"
    ),
    "admin/notifications/suppression/add-address/": act("SMX"),
    "admin/notifications/suppression/<path:object_id>/lift/": act(
        "SMX", object_id="notifications.suppression"
    ),
    "admin/notifications/endpoint/add-webhook/": act("MX"),
    "admin/notifications/endpoint/<path:object_id>/test/": act("MX", object_id="notifications.endpoint"),
    "admin/notifications/endpoint/<path:object_id>/prove/": act("MX", object_id="notifications.endpoint"),
    "admin/notifications/endpoint/<path:object_id>/switch/": act("MX", object_id="notifications.endpoint"),
}


def _pages_of(name: str, model: Model) -> dict[str, Row]:
    """The rows of the pages that Django's admin has for every table."""
    base = f"admin/{name.replace('.', '/')}/"
    one = {"object_id": name}
    every = "SFMX"
    return {
        base: row(staff(model.view), staff(model.view, "*")),
        f"{base}add/": row(staff(model.add), staff(model.add, "*")),
        f"{base}<path:object_id>/change/": row(staff(model.view), staff(model.change, "*"), **one),
        f"{base}<path:object_id>/delete/": row(staff(model.delete), staff(model.delete, "*"), **one),
        f"{base}<path:object_id>/history/": row(staff(model.view), staff(model.view, "*"), **one),
        f"{base}<path:object_id>/": row(staff(every, "*"), staff(every, "*"), **one),  # leads on to …/change/
    }


TABLE: dict[str, Row] = {**PAGES, **STANDIN, **ACCOUNTS, **API, **ACTS}
for _name, _model in MODELS.items():
    TABLE |= _pages_of(_name, _model)

# Addresses of things that aren't one member's own, so that Bob asking for Alice's shows nothing. All others are hers, and
# the first net insists that she gets in and he finds nothing there. Put an address in here only with a reason.
NOBODYS_OWN = {
    # A draw is everybody's to read and to enter; what somebody has in it is at other addresses.
    "draws/<slug:slug>/",
    "draws/<slug:slug>/enter/",
    "draws/<slug:slug>/leave/",
    "draws/<slug:slug>/results/",
    "draws/<slug:slug>/verify/",
    "draws/<slug:slug>/proof.json",
    "draws/<slug:slug>/manifest.json",
    "draws/<slug:slug>/entries.csv",
    "draws/<slug:slug>/prizes/<slug:code>-<slug:version>.webp",
    "api/draws/<slug:slug>/",
    "api/draws/<slug:slug>/winners/",
    "api/draws/<slug:slug>/proof/",
    "post api/draws/<slug:slug>/entries/",  # entering; getting one's entry is asked
    # Staff alone, by permission.
    "api/draws/<uuid:draw_id>/status/",
    "api/draws/<uuid:draw_id>/execute/",
    # Whoever has the secret may: it is sent to one person. The tests of each ask with a wrong and an old one.
    "prizes/claim/<str:token>/",
    "prizes/claim/<str:token>/decline/",
    "accounts/erasure/<str:token>/",
    "preferences/<str:token>/",
    "preferences/confirm/<str:token>/",
    "unsubscribe/<str:token>/",
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$",
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
    # Paystack's stand-in: its key opens them, and whoever has the code of a checkout pays.
    "standin/paystack/transaction/verify/<str:reference>",
    "standin/paystack/transfer/verify/<str:reference>",
    "standin/paystack/checkout/<slug:access_code>/",
    # Of a message's own address at Twilio: its signature opens it.
    "webhooks/twilio/status/<str:key>/",
    # The mails of a developer's own site.
    "dev/mailbox/<str:key>/",
    "dev/mailbox/<str:key>/html/",
    # allauth's, which looks only among the keys of who asks.
    "accounts/2fa/webauthn/keys/<int:pk>/edit/",
    "accounts/2fa/webauthn/keys/<int:pk>/remove/",
}

# Not addresses of ours: the admin's answer to what it does not have, and its list of one app's tables.
PASSED_OVER = ("admin/(?P<url>.*)$", "admin/^(?P<app_label>")
