"""What is noted, each by a name of two words: what it was done to, and what was done."""

from django.db import models


class Action(models.TextChoices):
    LOGGED_IN = "log_in.succeeded", "Logged in"
    LOG_IN_FAILED = "log_in.failed", "Log-in failed"
    LOCKED_OUT = "log_in.locked_out", "Locked out of the log-in"
    LOGGED_OUT = "log_in.ended", "Logged out"
    TOKEN_MADE = "token.made", "Token made"
    TOKEN_REVOKED = "token.revoked", "Token revoked"
    TOKEN_EXPIRED = "token.expired", "Token expired"
    USER_MADE = "user.made", "Account made"
    USER_CHANGED = "user.changed", "Account changed"
    USER_DELETED = "user.deleted", "Account deleted"
    USER_RIGHTS = "user.rights_changed", "Rights of an account changed"
    GROUP_MADE = "group.made", "Group made"
    GROUP_CHANGED = "group.changed", "Group changed"
    GROUP_DELETED = "group.deleted", "Group deleted"
    GROUP_RIGHTS = "group.rights_changed", "Rights of a group changed"
    RULE_MADE = "rule.made", "Rule made"
    RULE_CHANGED = "rule.changed", "Rule changed"
    RULE_DELETED = "rule.deleted", "Rule deleted"
    VERSION_DRAFTED = "version.drafted", "Version of a rule drafted"
    VERSION_SUBMITTED = "version.submitted", "Version submitted"
    VERSION_APPROVED = "version.approved", "Version approved"
    VERSION_RETIRED = "version.retired", "Version retired"
    VERSION_GIVEN_UP = "version.given_up", "What a version owed given up"
    LIST_MADE = "list.made", "List of customers made"
    LIST_CHANGED = "list.changed", "List changed"
    LIST_DELETED = "list.deleted", "List deleted"
    LIST_ENTRY_MADE = "list.entry_made", "Customer put on a list"
    LIST_ENTRY_ENDED = "list.entry_ended", "Customer taken off a list"
    ALERT_CLAIMED = "alert.claimed", "Alert claimed"
    ALERT_ASSIGNED = "alert.assigned", "Alert assigned"
    ALERT_RELEASED = "alert.released", "Alert released"
    ALERT_CLOSED = "alert.closed", "Alert closed"
    ALERT_REOPENED = "alert.reopened", "Alert reopened"
    ALERT_UNDONE = "alert.undone", "Step with an alert undone"
    SNOOZE_MADE = "snooze.made", "Alerts snoozed"
    SNOOZE_ENDED = "snooze.ended", "Snooze ended"
    NOTE_WRITTEN = "note.written", "Note on a customer written"
    NOTE_REVIEWED = "note.reviewed", "Note on a customer reviewed"
    VIEW_SHARED = "view.shared", "View of the list shared"
    VIEW_CHANGED = "view.changed", "Shared view changed"
    VIEW_UNSHARED = "view.unshared", "View no longer shared"
    VIEW_DELETED = "view.deleted", "Shared view deleted"
    WEBHOOK_MADE = "webhook.made", "Webhook made"
    WEBHOOK_CHANGED = "webhook.changed", "Webhook changed"
    WEBHOOK_DELETED = "webhook.deleted", "Webhook removed"
    WEBHOOK_TESTED = "webhook.tested", "Test message sent"
    WEBHOOK_SENT_AGAIN = "webhook.sent_again", "Message sent again"
    RECIPIENT_MADE = "recipient.made", "Recipient of mail added"
    RECIPIENT_CHANGED = "recipient.changed", "Recipient of mail changed"
    RECIPIENT_TESTED = "recipient.tested", "Test mail sent"
    RECIPIENT_DELETED = "recipient.deleted", "Recipient of mail removed"
    RECORD_REPLAYED = "record.replayed", "Rejected records replayed"
    RECORD_DISCARDED = "record.discarded", "Rejected records discarded"
    EXPORTED = "export.read", "List exported"
    UPLOAD_RECEIVED = "upload.received", "File uploaded"
    UPLOAD_STARTED = "upload.import_begun", "Import of a file begun"
    UPLOAD_ENDED = "upload.import_ended", "Import of a file ended"
    UPLOAD_REFUSED_READ = "upload.refused_read", "Refused rows of a file downloaded"
    UPLOAD_REMOVED = "upload.removed", "Uploaded file removed"
    UPLOADS_REMOVED = "upload.all_removed", "All uploaded files removed"
    TRANSACTION_DELETED = "transaction.deleted", "Transactions deleted"
    TRANSACTION_PRUNED = "transaction.pruned", "Removal of old transactions begun"
    DELETING_EVERYTHING = "everything.deletion_begun", "Deletion of everything begun"
    EVERYTHING_DELETED = "everything.deleted", "Everything deleted"
    ALARM_ACKNOWLEDGED = "alarm.acknowledged", "Alarm acknowledged"
    SETTING_CHANGED = "setting.changed", "Settings changed"


# The first words: what an action was done to.
KINDS = tuple(dict.fromkeys(action.partition(".")[0] for action in Action.values))
# Of these each is looked for by itself, whatever it came together with.
NEVER_FOLDED = frozenset(
    {
        Action.LOGGED_IN,
        Action.LOG_IN_FAILED,
        Action.LOCKED_OUT,
        Action.LOGGED_OUT,
        Action.TOKEN_MADE,
        Action.TOKEN_REVOKED,
        Action.TOKEN_EXPIRED,
        Action.USER_RIGHTS,
        Action.GROUP_RIGHTS,
    }
)
# Those which ask why; where nothing is said, that is said.
ASK_FOR_REASON = frozenset(
    {
        Action.USER_DELETED,
        Action.GROUP_DELETED,
        Action.TRANSACTION_DELETED,
        Action.TRANSACTION_PRUNED,
        Action.DELETING_EVERYTHING,
        Action.EVERYTHING_DELETED,
    }
)
