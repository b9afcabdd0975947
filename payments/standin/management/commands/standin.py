"""`manage.py standin …`: make the stand-in of Paystack misbehave, let a payer dispute, see what it does.

manage.py standin behave initialize timeout=1:20 error=2
manage.py standin behave webhook repeat=1:3
manage.py standin dispute REFERENCE --event create
"""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from payments.standin import services, webhooks
from payments.standin.models import EFFECTS, Behaviour, Effect, Operation, OutgoingWebhook, Transaction

_EVENTS = ("create", "remind", "resolve")
_RESOLUTIONS = ("merchant-accepted", "declined")


class Command(BaseCommand):
    """One subcommand for each thing to try."""

    help = (
        "Try how the site copes with Paystack: make the stand-in misbehave, dispute a payment, look, sweep."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        behave = commands.add_parser("behave", help="how it shall misbehave the next times")
        behave.add_argument("operation", choices=[operation.value for operation in Operation])
        behave.add_argument(
            "effects",
            nargs="+",
            metavar="EFFECT[=TIMES[:VALUE]]",
            help="; ".join(f"{effect.value}: {effect.label}" for effect in Effect),
        )
        commands.add_parser("forget", help="misbehave no more")
        dispute = commands.add_parser("dispute", help="somebody wants their money back from their bank")
        dispute.add_argument("reference")
        dispute.add_argument("--event", choices=_EVENTS, default="create")
        dispute.add_argument("--resolution", choices=_RESOLUTIONS, default="merchant-accepted")
        commands.add_parser("show", help="the newest payments and webhooks")
        commands.add_parser("sweep", help="move on what is due and send its webhooks, as beat does")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        if not settings.PAYSTACK_STANDIN:
            raise CommandError(
                "This site has a key of Paystack's own, or none and is not embedded: no stand-in."
            )
        getattr(self, f"_{command}")(**options)

    def _behave(self, *, operation: str, effects: list[str], **options: Any) -> None:
        rows = [_behaviour(Operation(operation), text) for text in effects]
        Behaviour.objects.bulk_create(rows)
        self.stdout.write("\n".join(map(str, rows)))

    def _forget(self, **options: Any) -> None:
        count, _by_model = Behaviour.objects.all().delete()
        self.stdout.write(f"forgot {count}")

    def _dispute(self, *, reference: str, event: str, resolution: str, **options: Any) -> None:
        try:
            with webhooks.sending_here():
                services.dispute(reference=reference, what=event, resolution=resolution, now=timezone.now())
        except services.RefusedError as error:
            raise CommandError(f"{error}: {reference}") from None
        self.stdout.write(f"charge.dispute.{event}: {webhooks.send_due(now=timezone.now())} heard")

    def _show(self, **options: Any) -> None:
        for payment in Transaction.objects.order_by("-pk")[:20]:
            self.stdout.write(f"{payment.reference} {payment.currency} {payment.amount} {payment.status}")
        for sent in OutgoingWebhook.objects.order_by("-pk")[:20]:
            state = "heard" if sent.heard_at else "waits" if sent.next_at else "over"
            self.stdout.write(
                f"{sent.event} {state}, tried {sent.attempts} times {sent.last_answer}".rstrip()
            )
        for behaviour in Behaviour.objects.filter(times_left__gt=0).order_by("pk"):
            self.stdout.write(str(behaviour))

    def _sweep(self, **options: Any) -> None:
        with webhooks.sending_here():
            moved = services.move_on(now=timezone.now())
        heard = webhooks.send_due(now=timezone.now())
        self.stdout.write(f"moved {moved}, heard {heard}")


def _behaviour(operation: Operation, text: str) -> Behaviour:
    name, _is, amounts = text.partition("=")
    times, _colon, value = (amounts or "1").partition(":")
    possible = sorted(effect.value for effect in EFFECTS[operation])
    if name not in possible:
        raise CommandError(f"{operation.value} can't {name!r}; it may: {', '.join(possible)}.")
    if not times.isdecimal() or not (value or "0").isdecimal():
        raise CommandError(f"{text!r}: write it as {name}=TIMES or {name}=TIMES:VALUE, in whole numbers.")
    return Behaviour(operation=operation, effect=name, times_left=int(times), value=int(value or 0))
