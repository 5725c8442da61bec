"""Groups to begin with, for those who work with this system: each with the rights that its work needs.

Made once, by a migration, so that what anybody changes or deletes afterwards stays so; a group that has such
a name already is left as it is. Django makes permissions only after all migrations: those that are not there
yet are made here as it would make them.
"""

from typing import Any

from django.db import migrations

SUPPORT = ("transactions.view_transaction", "transactions.add_customernote", "alerts.view_alert")
FRAUD = (
    *SUPPORT,
    "transactions.change_customernote",
    "alerts.change_alert",
    "rules.view_rule",
    "rules.change_rule",
)
PIPELINE = (
    "transactions.view_transaction",
    "transactions.view_flushbatch",
    "transactions.view_rejectedrecord",
    "transactions.change_rejectedrecord",
    "transactions.view_epoch",
    "transactions.change_epoch",
    "alerts.view_alert",
)
GROUPS = {
    "Support": SUPPORT,
    "Fraud": FRAUD,
    "Operations": (*PIPELINE, "transactions.add_customernote", "alerts.change_alert"),
    "On call": (
        *PIPELINE,
        "notifications.change_endpoint",
        "transactions.view_apitoken",
        "transactions.change_apitoken",
    ),
}
# What Django calls a permission's model, where that is not its name.
MODELS = {
    "customernote": "customer note",
    "epoch": "books",
    "flushbatch": "flush",
    "rejectedrecord": "rejected record",
    "apitoken": "API token",
    "endpoint": "webhook",
}


def make(apps: Any, schema_editor: Any) -> None:
    group_model = apps.get_model("auth", "Group")
    for name, permissions in GROUPS.items():
        group, made = group_model.objects.get_or_create(name=name)
        if made:
            group.permissions.set(_permission(apps, each) for each in permissions)


def take_away(apps: Any, schema_editor: Any) -> None:
    """Those that are as they were made, and that nobody is in."""
    group_model = apps.get_model("auth", "Group")
    for name, permissions in GROUPS.items():
        for group in group_model.objects.filter(name=name, user=None):
            held = {f"{each.content_type.app_label}.{each.codename}" for each in group.permissions.all()}
            if held == set(permissions):
                group.delete()


def _permission(apps: Any, name: str) -> Any:
    application, codename = name.split(".")
    step, model = codename.split("_")
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=application, model=model
    )
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type,
        codename=codename,
        defaults={"name": f"Can {step} {MODELS.get(model, model)}"},
    )
    return permission


class Migration(migrations.Migration):
    dependencies = [
        ("transactions", "0016_sent_forms"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make, take_away)]
