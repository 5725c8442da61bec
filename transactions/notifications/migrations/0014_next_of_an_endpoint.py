"""What an endpoint is to be sent next, without sorting all that waits for it; messages are sent meanwhile."""

from django.db import migrations, models

from ...stores.concurrent_indexes import AddIndexResumably


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notifications", "0013_sent_by_hand")]

    operations = [
        AddIndexResumably(
            "delivery",
            models.Index(
                fields=["endpoint", "-by_hand", "id"],
                name="delivery_untried",
                condition=models.Q(state="WAITING", attempts=0),
            ),
        ),
        AddIndexResumably(
            "delivery",
            models.Index(
                fields=["endpoint", "due_at", "id"],
                name="delivery_retried",
                condition=models.Q(state="WAITING", attempts__gt=0),
            ),
        ),
    ]
