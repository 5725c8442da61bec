"""Forms that are stored once, however often a browser sends them: by a double click, or by going back."""

from datetime import timedelta
from functools import wraps
from hashlib import sha256

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from ..models import SentForm
from .giving_up import View

# For how long it is known that a form was sent; and how many older ones go with each that is kept.
KEPT = timedelta(days=1)
FORGOTTEN_MAX = 100


class NothingStored(Exception):
    """Raised by a view that refuses what was posted and leads on: `why` is told on the page at `to`.

    What it has stored until then is taken back, so that the same form is judged anew.
    """

    def __init__(self, to: str, why: str) -> None:
        super().__init__(why)
        self.to, self.why = to, why


def sent_once(view: View) -> View:
    """A view that stores what is posted to it: the same form sent again leads to what was stored.

    Django gives each page it makes a CSRF token of its own look, so the same fields with the same token are
    the same form. All of the view is one transaction: who sends the form meanwhile waits for its end. What
    was stored is where the view's answer leads, by its Location; without one, and by NothingStored, nothing
    was, and the form is judged anew.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            return once(request, *args, **kwargs)
        except NothingStored as refused:
            messages.error(request, refused.why)
            return redirect(refused.to)

    def once(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.method != "POST" or "csrfmiddlewaretoken" not in request.POST:
            return view(request, *args, **kwargs)
        with transaction.atomic():
            _forget_old()
            form, is_first = SentForm.objects.get_or_create(key=_key(request))
            if is_first:
                response = view(request, *args, **kwargs)
                if "Location" in response:
                    SentForm.objects.filter(pk=form.pk).update(led_to=response["Location"])
                else:
                    form.delete()
                return response
        messages.info(request, "This form had been sent already: nothing was done again.")
        return redirect(form.led_to)

    return answer


def _key(request: HttpRequest) -> str:
    """Another one for each page, each person and whatever else was typed."""
    return sha256(f"{request.user.pk} {request.path} {request.POST.urlencode()}".encode()).hexdigest()


def _forget_old() -> None:
    """A few at a time, and none that somebody else forgets just now: nobody waits for it."""
    old = SentForm.objects.filter(sent_at__lt=timezone.now() - KEPT).select_for_update(skip_locked=True)
    SentForm.objects.filter(pk__in=old.values("pk")[:FORGOTTEN_MAX]).delete()
