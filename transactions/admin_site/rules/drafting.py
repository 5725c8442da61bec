"""A new wording of a rule: its kind is chosen, its sentence filled in, read back, and kept as a draft."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ...rules import changes, lifecycle, texts
from ...rules.kinds.gaps import NAME_MAX, Unfit
from ...rules.kinds.kind import Kind, as_json
from ...rules.kinds.registry import KINDS
from ...rules.models import Backtest, Rule, Version
from ...rules.schema import DESCRIPTION_MAX
from ...rules.standing import said_by
from ...severity import Severity
from ..lists import is_key
from ..sent_once import sent_once
from . import backtests, rights
from .links import page_of, version_of
from .page import rule_or_404
from .sentences import pieces, sentence, title_of
from .typed import TypedSentence, blank, zones

# The session's name for what was typed beside a wording that was tried, by backtest; and of how many.
TRIED, TRIED_MAX = "tried_wordings", 5


@dataclass(slots=True)
class TypedRule:
    """What was typed beside the sentence, and what is wrong with it."""

    name: str = ""
    severity: str = Severity.MEDIUM.value
    description: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def posted(cls, request: HttpRequest) -> "TypedRule":
        given = request.POST
        name = given.get("name", "").strip()[: NAME_MAX + 1]
        description = given.get("description", "").replace("\r\n", "\n").strip()[: DESCRIPTION_MAX + 1]
        return cls(name, given.get("severity", "")[:20], description)

    @classmethod
    def of(cls, rule: Rule, version: Version | None) -> "TypedRule":
        """As a version has it, else the rule."""
        told = rule if version is None else version
        return cls(rule.name, told.severity, told.description)

    def check(self, *, named: bool) -> None:
        """By the checks of files of rules."""
        checks = {
            "severity": (texts.checked_severity, self.severity),
            "description": (texts.checked_description, self.description),
        }
        if named:
            checks["name"] = (texts.checked_name, self.name)
        for what, (checked, value) in checks.items():
            try:
                checked(value)
            except ValueError as error:
                self.errors[what] = f"{str(error)[:1].upper()}{str(error)[1:]}."


@sent_once
def new_rule(request: HttpRequest) -> HttpResponse:
    """A rule that there is not yet, with its first draft."""
    rights.demand(rights.may_change(request.user))
    kind = request.POST.get("kind", request.GET.get("kind", ""))
    if "choose" in request.POST or kind not in KINDS:
        return _choose(request, None)
    if request.method != "POST":
        return _form(request, None, TypedRule(), TypedSentence.fresh(kind))
    return _posted(request, None, kind)


@sent_once
def new_draft(request: HttpRequest, rule: int) -> HttpResponse:
    """Another draft of a rule, which begins as one of its versions."""
    rights.demand(rights.may_change(request.user))
    held = rule_or_404(rule)
    if request.method == "POST" and "choose" not in request.POST and request.POST.get("kind") in KINDS:
        return _posted(request, held, request.POST["kind"])
    if "choose" in request.POST or "choose" in request.GET:
        return _choose(request, held)
    version = _version(request, held)
    said = TypedRule.of(held, version)
    if (tried := _tried(request, held)) is not None:
        said.severity, said.description = request.session.get(TRIED, {}).get(
            str(tried.pk), (said.severity, said.description)
        )
        return _form(request, held, said, TypedSentence.of(tried.kind, tried.parameters))
    kind = request.GET.get("kind", "" if version is None else version.kind)
    if kind not in KINDS:
        return _choose(request, held)
    if version is None or version.kind != kind:
        return _form(request, held, said, TypedSentence.fresh(kind))
    typed = TypedSentence.of(version.kind, version.parameters)
    return _form(request, held, said, typed, version)


def read_back(request: HttpRequest) -> JsonResponse:
    """The sentence of what is typed so far, as pieces of text, or what is wrong with each gap."""
    rights.demand(rights.may_change(request.user))
    kind = request.GET.get("kind", "")
    if kind not in KINDS:
        return JsonResponse({"errors": {"kind": "There is no such kind."}}, status=400)
    typed = TypedSentence.posted(kind, request.GET)
    form = typed.read()
    return JsonResponse({"errors": typed.errors, "sentence": None if form is None else pieces(form)})


def _version(request: HttpRequest, rule: Rule) -> Version | None:
    """The version that a draft begins as: of the query string, else the one that stands for the rule."""
    return version_of(rule, request.GET.get("from")) or said_by(rule)


def _tried(request: HttpRequest, rule: Rule) -> Backtest | None:
    """The backtest of the query string, whose wording the draft begins as."""
    key = request.GET.get("tried", "")
    return rule.backtests.filter(pk=int(key)).first() if is_key(key) else None


def _keep_typed(request: HttpRequest, tried: Backtest, said: TypedRule) -> None:
    """Severity and description are no part of a backtest: whoever goes on from it finds them here."""
    kept = {**request.session.get(TRIED, {}), str(tried.pk): (said.severity, said.description)}
    request.session[TRIED] = dict(list(kept.items())[-TRIED_MAX:])


def _choose(request: HttpRequest, rule: Rule | None) -> HttpResponse:
    kinds = [(name, kind.title, blank(kind)) for name, kind in KINDS.items()]
    context = {
        **admin.site.each_context(request),
        "title": "What should a rule look for?" if rule is None else f"Another kind for “{rule.name}”",
        "rule": rule,
        "kinds": kinds,
        # What was typed beside a sentence of another kind.
        "said": TypedRule.posted(request) if request.method == "POST" else None,
    }
    return TemplateResponse(request, "admin/rules/choose_kind.html", context)


def _posted(request: HttpRequest, rule: Rule | None, kind: str) -> HttpResponse:
    """Makes the draft, or shows what was typed again: read back, or with what is wrong with it."""
    said, typed = TypedRule.posted(request), TypedSentence.posted(kind, request.POST)
    if "begin" in request.POST:
        # The kind has just been chosen, and nothing is typed into its gaps yet.
        return _form(request, rule, said, TypedSentence.fresh(kind))
    said.check(named=rule is None)
    form = typed.read()
    if "read_back" in request.POST:
        # Nothing is kept yet: what is missing beside the sentence can wait.
        said.errors.clear()
        return _form(request, rule, said, typed)
    if form is None or said.errors:
        return _form(request, rule, said, typed)
    if rule is not None and "try_it" in request.POST:
        tried = backtests.try_wording(request, rule, form)
        if isinstance(tried, Backtest):
            _keep_typed(request, tried, said)
            return redirect(backtests.url_of(tried))
        said.errors["backtest"] = tried
        return _form(request, rule, said, typed)
    try:
        return redirect(page_of(_kept(request, rule, said, form)))
    except Unfit as unfit:
        typed.refuse(unfit)
    except changes.NameTaken as taken:
        said.errors["name"] = f"{str(taken)[:1].upper()}{str(taken)[1:]}: open it and make a draft there."
    return _form(request, rule, said, typed)


def _kept(request: HttpRequest, rule: Rule | None, said: TypedRule, form: Kind) -> Rule:
    """Raises Unfit and NameTaken."""
    told: dict[str, Any] = {"severity": said.severity, "description": said.description}
    parameters = as_json(form)
    if rule is None:
        rule = changes.create(said.name, form.name, parameters, request.user, **told)
    else:
        lifecycle.draft(rule, form.name, parameters, request.user, **told)
    messages.success(request, "The draft is kept. Try it on what has happened, then submit it.")
    return rule


def _form(
    request: HttpRequest,
    rule: Rule | None,
    said: TypedRule,
    typed: TypedSentence,
    version: Version | None = None,
) -> HttpResponse:
    form = None if typed.errors else _whole(typed)
    context = {
        **admin.site.each_context(request),
        "title": "A new rule" if rule is None else f"A new draft of “{rule.name}”",
        "rule": rule,
        "version": version,
        "said": said,
        "typed": typed,
        "kind_title": title_of(typed.kind),
        "severities": Severity.choices,
        "sentence": None if form is None else sentence(form),
        "zones": zones(),
        "read_back_url": reverse("admin:rules_rule_read_back"),
        "name_max": NAME_MAX,
        "description_max": DESCRIPTION_MAX,
    }
    return TemplateResponse(request, "admin/rules/draft.html", context)


def _whole(typed: TypedSentence) -> Any:
    """The rule of what is typed, without blame for what is not typed yet."""
    return TypedSentence(typed.kind, typed.given).read()
