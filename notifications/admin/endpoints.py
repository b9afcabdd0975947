"""Webhooks in the admin: set up, proven by the code of a test message, switched off."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from accounts.models import User
from audit.admin import ReadOnlyAdmin
from notifications import kinds
from notifications.admin.acting import acting_page
from notifications.models import Endpoint
from notifications.services.endpoints import (
    EndpointError,
    add_endpoint,
    kinds_for_endpoints,
    prove_endpoint,
    secret_for,
    send_test,
    switch_endpoint,
    was_heard,
)


class EndpointForm(forms.Form):
    """Where, and what it is told."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=80,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("By which you know it, like “Discord, #draws”."),
    )
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=500,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "Of Discord: the webhook's address as it gives it. Of Telegram: "
            "https://api.telegram.org/bot…/sendMessage?chat_id=…. Any other is posted signed JSON."
        ),
    )
    told = forms.MultipleChoiceField(
        label=gettext_lazy("What it is told"), widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    about = forms.CharField(
        label=gettext_lazy("Only about"),
        max_length=120,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("One draw, as it stands in the audit trail (draws.draw:…). Empty: about all."),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        told = self.fields["told"]
        assert isinstance(told, forms.MultipleChoiceField)
        told.choices = [(kind.name, str(kind.title)) for kind in kinds_for_endpoints()]


class CodeForm(forms.Form):
    """The code of the newest test message."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off", "autocapitalize": "characters"}),
    )


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    """Other programs that are told what happens."""

    list_display = ("name", "host_of", "about", "state", "made_at", "made_by")
    list_select_related = ("made_by",)
    search_fields = ("name",)
    ordering = ("-pk",)
    sortable_by = ()
    fields = (
        "name", "host_of", "told", "about", "state_in_words", "secret", "tested_at", "proven_at", "stopped_at", "made_at", "made_by",
        "posts",
    )  # fmt: skip
    readonly_fields = fields
    actions_list = ("add_webhook",)
    actions_detail = ("test", "prove", "switch")

    def has_manage_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who may set webhooks up."""
        return bool(request.user.has_perm("notifications.manage_endpoints"))

    def get_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        """The secret only to who may set it up."""
        shown = super().get_fields(request, obj)
        return shown if self.has_manage_permission(request) else [name for name in shown if name != "secret"]

    @admin.display(description=gettext_lazy("host"))
    def host_of(self, endpoint: Endpoint) -> str:
        """Where it is; the rest of the address opens the chat to whoever has it."""
        return endpoint.host

    @admin.display(description=gettext_lazy("what it is told"))
    def told(self, endpoint: Endpoint) -> str:
        """The titles of its kinds."""
        titles = []
        for name in endpoint.kinds:
            try:
                titles.append(str(kinds.get(name).title))
            except kinds.KindError:
                titles.append(name)
        return ", ".join(titles)

    @display(description=gettext_lazy("state"), label={"on": "success", "new": "warning", "off": "danger"})
    def state(self, endpoint: Endpoint) -> tuple[str, str]:
        """Whether it is told."""
        if endpoint.stopped_at is not None:
            return "off", _("switched off")
        return (
            ("on", _("is told")) if endpoint.proven_at is not None else ("new", _("to be proven by a test"))
        )

    @admin.display(description=gettext_lazy("state"))
    def state_in_words(self, endpoint: Endpoint) -> str:
        """The same without its colour, which only lists show."""
        return str(self.state(endpoint)[1])

    @admin.display(description=gettext_lazy("secret of its signatures"))
    def secret(self, endpoint: Endpoint) -> SafeString:
        """For the receiver, who checks `webhook-signature` by it."""
        return format_html("<code>{}</code>", secret_for(endpoint.public_id, endpoint.version))

    @admin.display(description=gettext_lazy("what it was told"))
    def posts(self, endpoint: Endpoint) -> SafeString:
        """Link to its deliveries."""
        return format_html(
            '<a class="fg-tap" href="{}?q=endpoint:{}">{}</a>',
            reverse("admin:notifications_delivery_changelist"),
            endpoint.public_id,
            _("everything that was posted to it"),
        )

    @action(
        description=gettext_lazy("Set up a webhook"),
        url_path="add-webhook",
        permissions=["manage"],
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def add_webhook(self, request: HttpRequest) -> HttpResponse:
        """A new one."""
        assert isinstance(request.user, User)
        form = EndpointForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                endpoint = add_endpoint(**form.cleaned_data, by=request.user, now=timezone.now())
            except EndpointError as error:
                form.add_error("url", str(error))
            else:
                messages.success(request, _("Set up. Send a test, then type its code here."))
                return _to(endpoint)
        return acting_page(
            self,
            request,
            form,
            title=_("Set up a webhook"),
            intro=_("Nothing goes there before you have typed the code of a test message."),
            press=_("Set up"),
        )

    @action(
        description=gettext_lazy("Send a test"),
        url_path="test",
        permissions=["manage"],
        icon="send",
        dialog={
            "title": gettext_lazy("Send a test"),
            "description": gettext_lazy("Posts a message with a code. Type it under “Type the code”."),
            "form_class": None,
            "form_submit_text": gettext_lazy("Send it"),
        },
    )
    def test(self, request: HttpRequest, form: object, object_id: int) -> HttpResponse:
        """Post a test message."""
        assert isinstance(request.user, User)
        endpoint = Endpoint.objects.get(pk=object_id)
        try:
            answer = send_test(endpoint=endpoint, by=request.user, now=timezone.now())
        except EndpointError as error:
            messages.error(request, str(error))
        else:
            if was_heard(answer):
                messages.success(request, _("It was taken. Type the code that it shows."))
            else:
                said = f"{answer.code} {answer.text}".strip()
                messages.error(request, _("It was not taken: %s") % said)
        return HttpResponse(
            headers={"HX-Redirect": reverse("admin:notifications_endpoint_change", args=[object_id])}
        )

    @action(
        description=gettext_lazy("Type the code"), url_path="prove", permissions=["manage"], icon="verified"
    )
    def prove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show that the test arrived."""
        endpoint = self._endpoint(request, object_id)
        assert isinstance(request.user, User)
        form = CodeForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                prove_endpoint(
                    endpoint=endpoint, code=form.cleaned_data["code"], by=request.user, now=timezone.now()
                )
            except EndpointError as error:
                form.add_error("code", str(error))
            else:
                messages.success(request, _("It is told from now on."))
                return _to(endpoint)
        return acting_page(
            self,
            request,
            form,
            title=_("Type the code of the test message"),
            intro=_("It shows that what is posted there is read by whoever should read it."),
            press=_("That is the code"),
        )

    @action(
        description=gettext_lazy("Switch off or on"),
        url_path="switch",
        permissions=["manage"],
        icon="power_settings_new",
        dialog={
            "title": gettext_lazy("Switch off or on"),
            "description": gettext_lazy(
                "Off: what waits for it is taken back, and nothing new is posted. On: told of what comes from now on."
            ),
            "form_class": None,
            "form_submit_text": gettext_lazy("Switch"),
        },
    )
    def switch(self, request: HttpRequest, form: object, object_id: int) -> HttpResponse:
        """Off when it is on, and the other way round."""
        assert isinstance(request.user, User)
        endpoint = Endpoint.objects.get(pk=object_id)
        is_on = endpoint.stopped_at is not None
        switch_endpoint(endpoint=endpoint, is_on=is_on, by=request.user, now=timezone.now())
        messages.success(request, _("It is switched on.") if is_on else _("It is switched off."))
        return HttpResponse(
            headers={"HX-Redirect": reverse("admin:notifications_endpoint_change", args=[object_id])}
        )

    def _endpoint(self, request: HttpRequest, object_id: str) -> Endpoint:
        endpoint: Endpoint | None = self.get_object(request, unquote(object_id))
        if endpoint is None:
            raise PermissionDenied
        return endpoint


def _to(endpoint: Endpoint) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:notifications_endpoint_change", args=[endpoint.pk]))
