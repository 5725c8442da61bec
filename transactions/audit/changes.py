"""Changes of rows by whatever part of the program, noted with the old and the new value."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from .actions import Action
from .entries import note

# What is said of a value that is nobody's business, in place of both.
CHANGED = "changed"
_BEFORE, _WITH = "_audit_before", "_audit_with"
# Of what goes with a row so many are named.
WITH_MAX = 1_000


class ToldPart(NamedTuple):
    """What may be known of a secret field: its name in the trail, the field, and how it is taken out."""

    name: str
    field: str
    of: Callable[[Any], Any]


class Followed(NamedTuple):
    """What is noted of a model's rows: by three actions, of which fields, of which only that they changed,
    and of which of these a part.

    `named` says how a row is called, where its own name is nobody's business. `links` are its many-to-many
    relations, each by what the other end is called: they go with a row that is deleted, without a signal.
    """

    made: Action
    changed: Action
    deleted: Action
    fields: tuple[str, ...]
    secret: tuple[str, ...] = ()
    parts: tuple[ToldPart, ...] = ()
    named: Callable[[Any], str] = str
    links: tuple[tuple[str, str], ...] = ()


def follow(model: type[Model], followed: Followed) -> None:
    """From now on rows of `model` that are saved or deleted one by one are noted, with the transaction.

    Updates of a whole queryset and SQL of our own are not seen: whoever uses them notes it.
    """

    def remember(instance: Any, update_fields: Collection[str] | None, **_: Any) -> None:
        names = _touched(followed, update_fields)
        row = model._default_manager.filter(pk=instance.pk).values(*names).first() if names else None
        setattr(instance, _BEFORE, row)

    def saved(instance: Any, created: bool, update_fields: Collection[str] | None, **_: Any) -> None:
        before = instance.__dict__.pop(_BEFORE, None)
        now = {name: getattr(instance, name) for name in _touched(followed, update_fields)}
        if created:
            shown = {name: now[name] for name in followed.fields if now.get(name) not in ("", None)}
            shown |= {part.name: part.of(now[part.field]) for part in followed.parts}
            note(followed.made, followed.named(instance), target_id=instance.pk, **shown)
        elif before is not None and (found := _differences(followed, before, now)):
            note(followed.changed, followed.named(instance), target_id=instance.pk, **found)

    def linked_to(instance: Any, **_: Any) -> None:
        found = {what: getattr(instance, field).order_by("pk")[:WITH_MAX] for what, field in followed.links}
        setattr(instance, _WITH, {what: [str(each) for each in rows] for what, rows in found.items() if rows})

    def deleted(instance: Any, **_: Any) -> None:
        told = {part.name: part.of(getattr(instance, part.field)) for part in followed.parts}
        told |= instance.__dict__.pop(_WITH, {})
        note(followed.deleted, followed.named(instance), target_id=instance.pk, **told)

    name = f"audit {model._meta.label}"
    pre_save.connect(remember, sender=model, weak=False, dispatch_uid=f"{name} before")
    post_save.connect(saved, sender=model, weak=False, dispatch_uid=name)
    if followed.links:
        pre_delete.connect(linked_to, sender=model, weak=False, dispatch_uid=f"{name} goes")
    post_delete.connect(deleted, sender=model, weak=False, dispatch_uid=f"{name} deleted")


def follow_links(through: Any, action: Action, what: str) -> None:
    """From now on it is noted what is given to and taken from rows by a many-to-many relation.

    `through` is its model; `what` is what the other end is called, in the plural. The entry names the
    row that has the relation, also where it was changed from the other end.
    """

    def linked(
        instance: Any, action: str, reverse: bool, model: Any, pk_set: set[Any] | None, **_: Any
    ) -> None:
        when, _sep, way = action.partition("_")
        if when != ("pre" if way == "clear" else "post"):
            return
        told = "given" if way == "add" else "taken"
        if pk_set is None:
            field = through._meta.get_field(model._meta.model_name)
            own = through._meta.get_field(instance._meta.model_name)
            pk_set = set(
                through._default_manager.filter(**{own.attname: instance.pk}).values_list(
                    field.attname, flat=True
                )
            )
        others = list(model._default_manager.filter(pk__in=pk_set).order_by("pk"))
        for row, given in [(other, [instance]) for other in others] if reverse else [(instance, others)]:
            if given:
                details: dict[str, Any] = {what: {told: [str(each) for each in given]}}
                note(noted, row, **details)

    noted = action
    m2m_changed.connect(linked, sender=through, weak=False, dispatch_uid=f"audit {through._meta.label}")


def _touched(followed: Followed, update_fields: Collection[str] | None) -> list[str]:
    names = followed.fields + followed.secret
    return [name for name in names if update_fields is None or name in update_fields]


def _differences(followed: Followed, before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: CHANGED if name in followed.secret else {"from": before[name], "to": value}
        for name, value in now.items()
        if before[name] != value
    }
    for part in followed.parts:
        if part.field in found:
            was, is_now = part.of(before[part.field]), part.of(now[part.field])
            if was != is_now:
                found[part.name] = {"from": was, "to": is_now}
    return found
