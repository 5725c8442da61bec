"""An index for the lists of what is pending and of what failed; transactions are stored meanwhile."""

from django.db import migrations, models

from ..stores.concurrent_indexes import AddIndexResumably


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("transactions", "0018_operations_import")]

    operations = [
        AddIndexResumably(
            "transaction",
            models.Index(
                fields=["status", "created_at", "id"],
                name="transaction_by_status",
                condition=models.Q(status__in=["PENDING", "FAILED"]),
            ),
        ),
    ]
