"""Awards, vouchers and addresses in the admin: looked at, and changed only by the acts."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Case, CharField, OuterRef, QuerySet, Subquery, UUIDField, When
from django.db.models.functions import Cast, Substr
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import dateformat, timezone
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.fresh_sign_in import fresh_sign_in_required, kept_form
from accounts.models import User
from draws import services
from draws.admin.acts import REFUSALS, sentence_of
from draws.admin.award_acts import AWARD_ACTS, AwardAct
from draws.admin.read_only import ReadOnlyAdmin
from draws.models import Award, Draw, Prize, PrizeAddress, Voucher
from draws.sources import source_of
from payments.money import format_amount

_VOUCHER_WORDS = {
    "valid": gettext_lazy("Valid"),
    "redeemed": gettext_lazy("Redeemed"),
    "expired": gettext_lazy("Past its date"),
    "voided": gettext_lazy("Taken back"),
}


_ABOUT_DRAW = "draws.draw:"


def _moment(at: dt.datetime | None) -> str | None:
    """`9 Dec 2026, 14:07`, on one line of a list."""
    return dateformat.format(timezone.localtime(at), "j M Y, H:i") if at else None


class AwardActs(ModelAdmin):
    """The acts on one award: each a page that asks (GET) and does (POST)."""

    actions_detail = ("replace", "sent", "resend", "show_link", "revoke", "erase_address")
    actions_list = ("expire_now",)

    def has_replace_winner_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.replace_winner"))

    def has_hand_over_award_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.hand_over_award"))

    def has_expire_awards_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.expire_awards"))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what makes sense in the award's state, of what the person may do."""
        award = Award.objects.filter(pk=unquote(str(object_id))).first() if str(object_id).isdigit() else None
        if award is None:
            return []
        allowed = super().get_actions_detail(request, object_id)
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            item for item in allowed if not AWARD_ACTS[item.action_name.removeprefix(prefix)].why_not(award)
        ]

    @action(
        description=gettext_lazy("Expire overdue prizes"),
        url_path="expire-now",
        permissions=["expire_awards"],
        icon="hourglass_disabled",
    )
    def expire_now(self, request: HttpRequest) -> HttpResponse:
        """What the job does every minute, at once."""
        if request.method == "POST":
            summary = services.expire_awards(now=timezone.now())
            words = ngettext(
                "%(expired)d prize expired, and went to the next in line.",
                "%(expired)d prizes expired, and went to the next in line.",
                summary.expired,
            ) % {"expired": summary.expired}
            messages.add_message(request, messages.WARNING if summary.failed else messages.SUCCESS, words)
            return HttpResponseRedirect(reverse("admin:draws_award_changelist"))
        return self._ask_page(
            request,
            title=_("Expire overdue prizes"),
            intro=_(
                "Forfeits every prize that was not claimed in time; each goes to the next rank. The site does this by "
                "itself every minute."
            ),
            submit=_("Expire them now"),
            form=forms.Form(),
            back=reverse("admin:draws_award_changelist"),
        )

    @action(
        description=gettext_lazy("Replace this winner"),
        url_path="replace",
        permissions=["replace_winner"],
        icon="person_remove",
        variant=ActionVariant.DANGER,
    )
    @fresh_sign_in_required
    def replace(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._award_act(request, object_id, AWARD_ACTS["replace"])

    @action(
        description=gettext_lazy("Mark as sent"),
        url_path="sent",
        permissions=["hand_over_award"],
        icon="local_shipping",
        variant=ActionVariant.PRIMARY,
    )
    def sent(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._award_act(request, object_id, AWARD_ACTS["sent"])

    @action(
        description=gettext_lazy("Revoke claim links"),
        url_path="revoke",
        permissions=["hand_over_award"],
        icon="link_off",
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._award_act(request, object_id, AWARD_ACTS["revoke"])

    @action(
        description=gettext_lazy("Send the link again"),
        url_path="resend",
        permissions=["hand_over_award"],
        icon="forward_to_inbox",
    )
    def resend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._award_act(request, object_id, AWARD_ACTS["resend"])

    @action(
        description=gettext_lazy("Show the claim link"),
        url_path="show-link",
        permissions=["hand_over_award"],
        icon="link",
    )
    def show_link(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._award_act(request, object_id, AWARD_ACTS["show_link"])

    @action(
        description=gettext_lazy("Erase address"),
        url_path="erase-address",
        permissions=["hand_over_award"],
        icon="wrong_location",
    )
    def erase_address(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._award_act(request, object_id, AWARD_ACTS["erase_address"])

    def _award_act(self, request: HttpRequest, object_id: str, act: AwardAct) -> HttpResponse:
        award: Award | None = self.get_object(request, unquote(object_id))
        if award is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        user = request.user
        if not isinstance(user, User) or not self.has_view_permission(request, award):
            raise PermissionDenied
        page = reverse("admin:draws_award_change", args=[quote(award.pk)])
        form = act.form_class(request.POST if request.method == "POST" else kept_form(request))
        if request.method == "POST":
            if form.is_valid():
                try:
                    done = act.run(award, form.cleaned_data, user, timezone.now())
                except REFUSALS as error:
                    form.add_error(None, sentence_of(error))
                else:
                    if act.shows_secret:
                        return self._act_page(
                            request, act, form, page=page, award=award, secret=done.sentence
                        )
                    tone = messages.SUCCESS if done.is_good else messages.WARNING
                    messages.add_message(request, tone, done.sentence)
                    following = AWARD_ACTS.get(act.followed_by)
                    if following is not None and not following.why_not(award):
                        page = reverse(f"admin:draws_award_{act.followed_by}", args=[quote(award.pk)])
                    return HttpResponseRedirect(page)
        elif why_not := act.why_not(award):
            messages.warning(request, why_not)
            return HttpResponseRedirect(page)
        return self._act_page(request, act, form, page=page, award=award)

    def _act_page(
        self,
        request: HttpRequest,
        act: AwardAct,
        form: forms.Form,
        *,
        page: str,
        award: Award,
        secret: str = "",
    ) -> HttpResponse:
        response = self._ask_page(
            request,
            title=act.title,
            intro=act.intro,
            submit=act.submit,
            form=form,
            back=page,
            is_danger=act.is_danger,
            award=award,
            secret=secret,
        )
        add_never_cache_headers(response)
        return response

    def _ask_page(
        self,
        request: HttpRequest,
        *,
        title: Any,
        intro: Any,
        submit: Any,
        form: forms.Form,
        back: str,
        is_danger: bool = False,
        award: Award | None = None,
        secret: str = "",
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            "admin/draws/award/act.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "intro": intro,
                "press": submit,
                "form": form,
                "back": back,
                "is_danger": is_danger,
                "secret": secret,
                "facts": _facts(award) if award is not None else [],
                "address": PrizeAddress.objects.filter(award=award).first()
                if award is not None and request.user.has_perm("draws.view_prizeaddress")
                else None,
            },
        )


def _facts(award: Award) -> list[tuple[str, str]]:
    """What the person should see of the award before pressing."""
    return [
        (_("Prize"), award.title),
        (_("Won in"), source_of(award).origin(award)),
        (_("Winner"), str(award.member or award.identity or _("erased"))),
        (_("Worth"), format_amount(award.amount, award.unit) if award.unit else "—"),
        (_("State"), award.state_word),
    ]


@admin.register(Award)
class AwardAdmin(AwardActs, ReadOnlyAdmin):
    """Awards: what is owed to people, and whether they have it."""

    list_display = ("title", "won_in", "worth", "identity", "member", "state_shown", "until", "paid")
    list_select_related = ("member",)
    list_filter = ("state", "kind", "unit")
    search_fields = ("=identity", "title", "=member__email", "=about")
    ordering = ("-pk",)
    fields = (
        "title",
        "kind_said",
        "worth",
        "state_said",
        "identity",
        "member",
        "claim_until",
        "created_at",
        "claimed_at",
        "paid_at",
        "note",
        "payout",
        "ended_at",
        "reversal",
        "terms",
        "source",
        "about",
        "key",
    )

    @display(description=gettext_lazy("won in"), ordering="about")
    def won_in(self, obj: Award) -> str:
        """The draw, read once for the whole page."""
        return getattr(obj, "draw_title", None) or obj.about

    @display(description=gettext_lazy("claim until"), ordering="claim_until", empty_value="–")
    def until(self, obj: Award) -> str | None:
        return _moment(obj.claim_until) if obj.state == Award.State.CLAIMABLE else None

    @display(description=gettext_lazy("paid"), ordering="paid_at", empty_value="–")
    def paid(self, obj: Award) -> str | None:
        return _moment(obj.paid_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Award]:
        """With the title of the draw that an award is about; those of other apps have none."""
        title = Draw.objects.filter(
            public_id=Cast(Substr(OuterRef("about"), len(_ABOUT_DRAW) + 1), UUIDField())
        ).values("title")[:1]
        is_draws = When(about__startswith=_ABOUT_DRAW, then=Subquery(title))
        awards: QuerySet[Award] = super().get_queryset(request)
        return awards.annotate(draw_title=Case(is_draws, output_field=CharField()))

    @display(description=gettext_lazy("kind"))
    def kind_said(self, obj: Award) -> str:
        return str(dict(Prize.Kind.choices).get(obj.kind, obj.kind))

    @display(description=gettext_lazy("worth"), ordering="amount")
    def worth(self, obj: Award) -> str:
        return format_amount(obj.amount, obj.unit).replace(" ", "\u00a0") if obj.unit else "—"

    @display(
        description=gettext_lazy("state"),
        ordering="state",
        label={
            "allocated": "",
            "claimable": "warning",
            "claimed": "info",
            "paid": "success",
            "expired": "",
            "reversed": "danger",
        },
    )
    def state_shown(self, obj: Award) -> tuple[str, str]:
        return obj.state, obj.state_word

    @display(description=gettext_lazy("state"))
    def state_said(self, obj: Award) -> str:
        return obj.state_word


class RedeemForm(forms.Form):
    """A code as it was typed or read out, and where it is used."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "autocapitalize": "characters"}),
        help_text=gettext_lazy(
            "Sixteen letters and digits; lines between them, and small letters, do not matter."
        ),
    )
    note = forms.CharField(
        label=gettext_lazy("Where and for what"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )


@admin.register(Voucher)
class VoucherAdmin(ReadOnlyAdmin):
    """Vouchers that were claimed. Their codes are worth money, so the list shows the end of each alone."""

    list_display = ("value", "code_end", "winner", "state_shown", "issued_at", "expires_at", "redeemed_at")
    list_select_related = ("award__member",)
    search_fields = ("value", "=award__identity", "=award__member__email")
    ordering = ("-pk",)
    fields = (
        "value",
        "code_end",
        "award",
        "winner",
        "state_said",
        "terms",
        "issued_at",
        "expires_at",
        "redeemed_at",
        "redeemed_by",
        "redeemed_note",
        "voided_at",
    )
    actions_list = ("redeem",)

    def has_redeem_voucher_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.redeem_voucher"))

    @action(
        description=gettext_lazy("Redeem a voucher"),
        url_path="redeem",
        permissions=["redeem_voucher"],
        icon="qr_code_scanner",
        variant=ActionVariant.PRIMARY,
    )
    def redeem(self, request: HttpRequest) -> HttpResponse:
        """Asks for the code, and uses it once."""
        form = RedeemForm(request.POST) if request.method == "POST" else RedeemForm()
        if request.method == "POST" and form.is_valid() and isinstance(request.user, User):
            try:
                voucher = services.redeem_voucher(by=request.user, now=timezone.now(), **form.cleaned_data)
            except services.VoucherError as error:
                form.add_error("code", str(error))
            else:
                messages.success(request, _("Redeemed: %(value)s.") % {"value": voucher.value})
                return HttpResponseRedirect(reverse("admin:draws_voucher_change", args=[voucher.pk]))
        return TemplateResponse(
            request,
            "admin/draws/award/act.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Redeem a voucher"),
                "intro": _("A code is good for one time: once redeemed it can't be used again."),
                "press": _("Redeem it"),
                "form": form,
                "back": reverse("admin:draws_voucher_changelist"),
            },
        )

    @display(description=gettext_lazy("code"))
    def code_end(self, obj: Voucher) -> str:
        return format_html("<code>…{}</code>", obj.code[-4:])

    @display(description=gettext_lazy("winner"))
    def winner(self, obj: Voucher) -> str:
        return str(obj.award.member or obj.award.identity or _("erased"))

    @display(
        description=gettext_lazy("state"),
        label={"valid": "info", "redeemed": "success", "expired": "", "voided": "danger"},
    )
    def state_shown(self, obj: Voucher) -> tuple[str, str]:
        state = obj.state_at(timezone.now())
        return state, str(_VOUCHER_WORDS[state])

    @display(description=gettext_lazy("state"))
    def state_said(self, obj: Voucher) -> str:
        return str(_VOUCHER_WORDS[obj.state_at(timezone.now())])


@admin.register(PrizeAddress)
class PrizeAddressAdmin(ReadOnlyAdmin):
    """Where things are to be sent; erased from the award's page when they have arrived."""

    list_display = ("name", "prize", "city", "country", "is_sent", "given_at")
    list_select_related = ("award",)
    search_fields = ("name", "award__title")
    ordering = ("-pk",)
    fields = ("award", "name", "street", "city", "postcode", "country", "phone", "given_at")

    @display(description=gettext_lazy("prize"))
    def prize(self, obj: PrizeAddress) -> str:
        address = reverse("admin:draws_award_change", args=[obj.award_id])
        return format_html('<a class="text-link" href="{}">{}</a>', address, obj.award.title)

    @display(description=gettext_lazy("sent"), boolean=True)
    def is_sent(self, obj: PrizeAddress) -> bool:
        return obj.award.state == Award.State.PAID
