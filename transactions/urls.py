"""The API's paths, each with and without the slash at its end: no POST is ever redirected."""

from django.urls import re_path

from .views import alerts, backtests, rules, transactions, user_lists, webhooks

RULE, LIST = r"rules/(?P<id>[0-9]{1,18})", r"rules/lists/(?P<id>[0-9]{1,18})"
BACKTEST = RULE + r"/backtests/(?P<backtest>[0-9]{1,18})"
ALERT = r"alerts/(?P<id>[0-9]{1,18})"
VERSION = RULE + r"/versions/(?P<number>[0-9]{1,9})"
WEBHOOK = r"webhooks/(?P<id>[0-9]{1,18})"
DELIVERY = WEBHOOK + r"/deliveries/(?P<delivery>[0-9]{1,18})"

# Those that are called all the time come first: Django tries one after the other.
urlpatterns = [
    re_path(r"^add-transaction/?$", transactions.AddTransaction.as_view(), name="add-transaction"),
    re_path(r"^add-transactions/?$", transactions.AddTransactions.as_view(), name="add-transactions"),
    re_path(r"^transactions/?$", transactions.TransactionList.as_view(), name="transactions"),
    re_path(r"^transactions/average/?$", transactions.TransactionAverages.as_view(), name="averages"),
    re_path(r"^transactions/(?P<id>.+?)/?$", transactions.TransactionDetail.as_view(), name="transaction"),
    re_path(r"^pipeline/?$", transactions.Pipeline.as_view(), name="pipeline"),
    re_path(r"^alerts/?$", alerts.Alerts.as_view(), name="alerts"),
    re_path(r"^alerts/bulk/?$", alerts.BulkStep.as_view(), name="alerts-bulk"),
    re_path(r"^alerts/counts/?$", alerts.AlertCounts.as_view(), name="alert-counts"),
    re_path(rf"^{ALERT}/?$", alerts.AlertDetail.as_view(), name="alert"),
    re_path(rf"^{ALERT}/assign/?$", alerts.AssignAlert.as_view(), name="assign-alert"),
    re_path(rf"^{ALERT}/claim/?$", alerts.ClaimAlert.as_view(), name="claim-alert"),
    re_path(rf"^{ALERT}/close/?$", alerts.CloseAlert.as_view(), name="close-alert"),
    re_path(rf"^{ALERT}/note/?$", alerts.NoteOnAlert.as_view(), name="note-on-alert"),
    re_path(rf"^{ALERT}/release/?$", alerts.ReleaseAlert.as_view(), name="release-alert"),
    re_path(rf"^{ALERT}/reopen/?$", alerts.ReopenAlert.as_view(), name="reopen-alert"),
    re_path(rf"^{ALERT}/snooze/?$", alerts.SnoozeAlert.as_view(), name="snooze-alert"),
    re_path(rf"^{ALERT}/undo/?$", alerts.UndoStep.as_view(), name="undo-alert-step"),
    re_path(r"^audit/?$", transactions.AuditTrail.as_view(), name="audit"),
    re_path(
        r"^delete-transactions/?$", transactions.DeleteTransactions.as_view(), name="delete-transactions"
    ),
    re_path(r"^docs/?$", transactions.Docs.as_view(), name="docs"),
    re_path(r"^events/?$", webhooks.Events.as_view(), name="events"),
    re_path(r"^rules/?$", rules.RuleList.as_view(), name="rules"),
    re_path(r"^rules/export/?$", rules.ExportRules.as_view(), name="export-rules"),
    re_path(r"^rules/import/?$", rules.ImportRules.as_view(), name="import-rules"),
    re_path(r"^rules/performance/?$", alerts.RulePerformance.as_view(), name="rule-performance"),
    re_path(r"^rules/schema/?$", rules.RuleSchema.as_view(), name="rule-schema"),
    re_path(r"^rules/lists/?$", user_lists.UserLists.as_view(), name="lists"),
    re_path(rf"^{LIST}/?$", user_lists.UserListDetail.as_view(), name="list"),
    re_path(rf"^{LIST}/entries/?$", user_lists.ListEntries.as_view(), name="entries"),
    re_path(
        rf"^{LIST}/entries/(?P<entry>[0-9]{{1,18}})/end/?$", user_lists.EndEntry.as_view(), name="end-entry"
    ),
    re_path(rf"^{RULE}/?$", rules.RuleDetail.as_view(), name="rule"),
    re_path(rf"^{RULE}/backtests/?$", backtests.Backtests.as_view(), name="backtests"),
    re_path(rf"^{BACKTEST}/?$", backtests.BacktestDetail.as_view(), name="backtest"),
    re_path(rf"^{BACKTEST}/cancel/?$", backtests.CancelBacktest.as_view(), name="cancel-backtest"),
    re_path(rf"^{RULE}/hits/?$", rules.RuleHits.as_view(), name="hits"),
    re_path(rf"^{RULE}/versions/?$", rules.RuleVersions.as_view(), name="versions"),
    re_path(rf"^{VERSION}/?$", rules.RuleVersion.as_view(), name="version"),
    re_path(rf"^{VERSION}/submit/?$", rules.SubmitVersion.as_view(), name="submit-version"),
    re_path(rf"^{VERSION}/approve/?$", rules.ApproveVersion.as_view(), name="approve-version"),
    re_path(rf"^{VERSION}/retire/?$", rules.RetireVersion.as_view(), name="retire-version"),
    re_path(r"^schema/?$", transactions.Schema.as_view(), name="schema"),
    re_path(r"^snoozes/?$", alerts.Snoozes.as_view(), name="snoozes"),
    re_path(r"^snoozes/(?P<id>[0-9]{1,18})/end/?$", alerts.EndSnooze.as_view(), name="end-snooze"),
    re_path(r"^webhooks/?$", webhooks.Webhooks.as_view(), name="webhooks"),
    re_path(rf"^{WEBHOOK}/?$", webhooks.WebhookDetail.as_view(), name="webhook"),
    re_path(rf"^{WEBHOOK}/rotate/?$", webhooks.RotateWebhook.as_view(), name="rotate-webhook"),
    re_path(rf"^{WEBHOOK}/off/?$", webhooks.SwitchWebhookOff.as_view(), name="webhook-off"),
    re_path(rf"^{WEBHOOK}/on/?$", webhooks.SwitchWebhookOn.as_view(), name="webhook-on"),
    re_path(rf"^{WEBHOOK}/test/?$", webhooks.TestWebhook.as_view(), name="test-webhook"),
    re_path(rf"^{WEBHOOK}/deliveries/?$", webhooks.Deliveries.as_view(), name="deliveries"),
    re_path(rf"^{DELIVERY}/send-again/?$", webhooks.SendAgain.as_view(), name="send-again"),
]
