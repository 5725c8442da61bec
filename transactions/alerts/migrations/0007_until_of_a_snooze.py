"""Until when a snooze was to last, apart from why: each page tells a moment in its viewer's zone.

The steps of before keep it in their text.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "0006_made_graver_goes_back")]

    operations = [migrations.AddField("alertevent", "until", models.DateTimeField(null=True))]
