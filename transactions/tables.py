"""The tables as SQL of our own names them."""

from django.contrib.auth import get_user_model

from .models import Epoch, FlushBatch, PruningPlace, RejectedRecord, Removal, Rollup, Transaction

TRANSACTIONS = Transaction._meta.db_table
ROLLUPS = Rollup._meta.db_table
REJECTED = RejectedRecord._meta.db_table
EPOCHS = Epoch._meta.db_table
REMOVALS = Removal._meta.db_table
BATCHES = FlushBatch._meta.db_table
PRUNING_PLACE = PruningPlace._meta.db_table
USERS = get_user_model()._meta.db_table
# The column of a user's name.
USER_NAME = str(get_user_model()._meta.get_field(get_user_model().USERNAME_FIELD).column)  # type: ignore[union-attr]
# The column of a user's key, which the model of another project may call otherwise.
USER_KEY = get_user_model()._meta.pk.column
