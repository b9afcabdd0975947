"""What providers and readers' own clicks tell of deliveries, line by line: append-only."""

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from notifications.click_classes import SCAN
from notifications.models.outbox import Delivery


class Happening(models.TextChoices):
    """What happened to a delivery; the values are those of `notifications.channels.seam.Happened`."""

    ACCEPTED = "accepted", _("accepted by the provider")
    DEFERRED = "deferred", _("put off by the receiving side")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("given up by the provider")
    BOUNCED = "bounced", _("the address does not exist")
    COMPLAINED = "complained", _("reported as spam")
    UNSUBSCRIBED = "unsubscribed", _("unsubscribed at the provider")
    OPENED = "opened", _("opened")
    CLICKED = "clicked", _("clicked")


class DeliveryEventQuerySet(models.QuerySet["DeliveryEvent"]):
    """Sets of events."""

    def by_people(self) -> "DeliveryEventQuerySet":
        """Openings and clicks that count as people's.

        A scanner's first click looks like a person's; it is known by the machine's clicks on other links of the same mail beside it.
        Those on the same link don't count: some mail services look at a link in the moment in which somebody follows it.
        """
        scanned = DeliveryEvent.objects.filter(
            delivery=OuterRef("delivery"),
            what=Happening.CLICKED,
            by_machine=True,
            at__gte=OuterRef("at") - SCAN,
            at__lte=OuterRef("at") + SCAN,
        ).exclude(target=OuterRef("target"))
        read = self.filter(what__in=(Happening.OPENED, Happening.CLICKED), by_machine=False)
        return read.exclude(Q(what=Happening.CLICKED) & Exists(scanned))


class DeliveryEvent(models.Model):
    """One thing that happened to one delivery, once: a provider that tells it again is not heard again.

    `by_machine` tells a mail scanner's or prefetcher's opening from a person's; unknown where nobody looked. `text` may
    quote an address and is emptied with an erasure, the one change that the database lets through.
    """

    provider = models.CharField(_("told by"), max_length=16)
    event_id = models.TextField(_("its id there"))
    delivery = models.ForeignKey(
        Delivery,
        verbose_name=_("delivery"),
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="events",
    )
    what = models.CharField(_("what"), max_length=16, choices=Happening.choices)
    at = models.DateTimeField(_("time"))
    received_at = models.DateTimeField(_("heard of"))
    by_machine = models.BooleanField(_("by a machine"), null=True)
    code = models.CharField(_("code"), max_length=32, blank=True)
    text = models.TextField(_("text"), blank=True)
    target = models.TextField(_("target"), blank=True, help_text=_("Of a click: which address it led to."))

    objects = DeliveryEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event of a delivery")
        verbose_name_plural = _("events of deliveries")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="notifications_event_once"),
            models.CheckConstraint(
                condition=Q(target="") | Q(what=Happening.CLICKED), name="notifications_event_target_of_click"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_what_display()} · {self.provider}"
