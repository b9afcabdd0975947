"""Audiences in the admin: rules one below the other, with how many people they are."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from notifications.admin.many import ManyAdmin
from notifications.admin.wordings import language_choices
from notifications.kinds import Category
from notifications.models import Segment
from notifications.segments import RULES_LIMIT, Condition, SegmentError, all_rules, in_words
from notifications.services.audiences import patience, save_segment, shares, size_of

SPARE_ROWS = 2
LEAST_ROWS = 4
_JOINS = [
    ("and", gettext_lazy("and")),
    ("and-not", gettext_lazy("and not")),
    ("or", gettext_lazy("or")),
]
_FIRST = [("and", gettext_lazy("everybody who"))]


class AudienceForm(forms.Form):
    """A name, and rules: each row joins the ones above by and, and not, or or."""

    title = forms.CharField(label=gettext_lazy("Name"), max_length=80, widget=UnfoldAdminTextInputWidget())

    def __init__(
        self, data: Any = None, *, initial: Any = None, conditions: list[Condition] | None = None
    ) -> None:
        given = conditions or []
        filled = [at for at in range(RULES_LIMIT) if data and data.get(f"rule{at}")]
        used = max([len(given), *(at + 1 for at in filled)])
        self.row_count = min(RULES_LIMIT, max(LEAST_ROWS, used + SPARE_ROWS))
        values = dict(initial or {})
        for at, condition in enumerate(given):
            values[f"rule{at}"] = f"{condition.rule}|{condition.value}"
            values[f"join{at}"] = "or" if condition.begins else "and-not" if condition.is_not else "and"
        super().__init__(data, initial=values)
        choices = rule_choices()
        for at in range(self.row_count):
            self.fields[f"join{at}"] = forms.ChoiceField(
                choices=_JOINS if at else _FIRST,
                required=False,
                label=_("Rule %(n)d: how it joins") % {"n": at + 1},
                widget=UnfoldAdminSelectWidget(),
            )
            self.fields[f"rule{at}"] = forms.ChoiceField(
                choices=choices,
                required=False,
                label=_("Rule %(n)d") % {"n": at + 1},
                widget=UnfoldAdminSelectWidget(),
            )

    @property
    def rows(self) -> list[tuple[Any, Any]]:
        """The two fields of each row."""
        return [(self[f"join{at}"], self[f"rule{at}"]) for at in range(self.row_count)]

    @property
    def conditions(self) -> list[Condition]:
        """What was chosen; rows without a rule are left out."""
        chosen = []
        for at in range(self.row_count):
            rule, _bar, value = self.cleaned_data.get(f"rule{at}", "").partition("|")
            join = self.cleaned_data.get(f"join{at}", "and")
            if rule:
                chosen.append(Condition(rule, value, is_not=join == "and-not", begins=join == "or"))
        return chosen


def rule_choices() -> list[Any]:
    """Every rule with each of its values, in groups."""
    plain: list[tuple[str, str]] = [("", "—")]
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for rule in all_rules():
        if rule.choices is None:
            plain.append((f"{rule.name}|", str(rule.title)))
        elif values := rule.choices():
            options = [(f"{rule.name}|{value}", f"{rule.title} {label}") for value, label in values]
            groups.append((str(rule.title), options))
    return [*plain, *groups]


@admin.register(Segment)
class AudienceAdmin(ManyAdmin):
    """Audiences with a name."""

    list_display = ("title", "who", "changed_at")
    search_fields = ("title",)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("count/", wrap(self.count_view), name="notifications_segment_count"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("who"))
    def who(self, row: Segment) -> str:
        """Its rules as a sentence."""
        return in_words(row.conditions)

    def count_view(self, request: HttpRequest) -> HttpResponse:
        """How many people the chosen rules are: a part of the page, asked for while one chooses."""
        self.insist(request)
        if request.method != "POST":
            return HttpResponse(status=204)  # a part of a page, and nothing by itself
        form = AudienceForm(request.POST)
        form.is_valid()  # a name may be missing still
        return TemplateResponse(request, "admin/notifications/many/count.html", counted(form.conditions))

    def edit(self, request: HttpRequest, row: Segment | None) -> HttpResponse:
        conditions = row.conditions if row else []
        form = AudienceForm(
            request.POST if request.method == "POST" else None,
            initial={"title": row.title if row else ""},
            conditions=conditions,
        )
        if request.method == "POST" and form.is_valid() and "look" not in request.POST:
            try:
                saved = save_segment(
                    segment=row,
                    title=form.cleaned_data["title"],
                    conditions=form.conditions,
                    by=self.insist(request),
                    now=timezone.now(),
                )
            except SegmentError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Saved. What is scheduled already keeps the rules it has."))
                return HttpResponseRedirect(reverse("admin:notifications_segment_change", args=[saved.pk]))
        chosen = form.conditions if form.is_bound and hasattr(form, "cleaned_data") else conditions
        context = {
            **self.frame(request, row.title if row else _("Audience")),
            "form": form,
            "row": row,
            "counted": counted(chosen) if chosen else {},
        }
        return TemplateResponse(request, "admin/notifications/many/audience.html", context)


def counted(conditions: list[Condition]) -> dict[str, Any]:
    """What `count.html` shows of rules."""
    if not conditions:
        return {"empty": True}
    try:
        with patience():
            size = size_of(conditions, category=Category.SERVICE)
            agreed = size_of(conditions, category=Category.PROMOTIONAL)
    except SegmentError as error:
        return {"problem": str(error)}
    names = dict(language_choices())
    return {
        "size": size,
        "agreed": agreed,
        "sentence": in_words(conditions),
        "languages": [(names.get(code, code), count) for code, count in shares(size.languages)],
    }
