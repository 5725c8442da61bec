"""The table that one writes first: the seed's fields, and none of our indexes."""

from django.conf import settings
from django.db import models


class NaiveTransaction(models.Model):
    transaction_id = models.CharField(max_length=100, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    amount = models.BigIntegerField()
    status = models.CharField(max_length=20, default="PENDING")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "baselines"
        db_table = "baseline_transaction"

    def __str__(self) -> str:
        return self.transaction_id
