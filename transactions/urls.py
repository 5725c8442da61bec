"""The API's paths, each with and without the slash at its end: no POST is ever redirected."""

from django.urls import re_path

from . import alert_views, backtest_views, rule_views, views

RULE, LIST = r"rules/(?P<id>[0-9]{1,18})", r"rules/lists/(?P<id>[0-9]{1,18})"
BACKTEST = RULE + r"/backtests/(?P<backtest>[0-9]{1,18})"
ALERT = r"alerts/(?P<id>[0-9]{1,18})"
VERSION = RULE + r"/versions/(?P<number>[0-9]{1,9})"

urlpatterns = [
    re_path(r"^add-transaction/?$", views.AddTransaction.as_view(), name="add-transaction"),
    re_path(r"^add-transactions/?$", views.AddTransactions.as_view(), name="add-transactions"),
    re_path(r"^alerts/?$", alert_views.Alerts.as_view(), name="alerts"),
    re_path(r"^alerts/bulk/?$", alert_views.BulkStep.as_view(), name="alerts-bulk"),
    re_path(r"^alerts/counts/?$", alert_views.AlertCounts.as_view(), name="alert-counts"),
    re_path(rf"^{ALERT}/?$", alert_views.AlertDetail.as_view(), name="alert"),
    re_path(rf"^{ALERT}/assign/?$", alert_views.AssignAlert.as_view(), name="assign-alert"),
    re_path(rf"^{ALERT}/claim/?$", alert_views.ClaimAlert.as_view(), name="claim-alert"),
    re_path(rf"^{ALERT}/close/?$", alert_views.CloseAlert.as_view(), name="close-alert"),
    re_path(rf"^{ALERT}/note/?$", alert_views.NoteOnAlert.as_view(), name="note-on-alert"),
    re_path(rf"^{ALERT}/release/?$", alert_views.ReleaseAlert.as_view(), name="release-alert"),
    re_path(rf"^{ALERT}/reopen/?$", alert_views.ReopenAlert.as_view(), name="reopen-alert"),
    re_path(rf"^{ALERT}/snooze/?$", alert_views.SnoozeAlert.as_view(), name="snooze-alert"),
    re_path(rf"^{ALERT}/undo/?$", alert_views.UndoStep.as_view(), name="undo-alert-step"),
    re_path(r"^audit/?$", views.AuditTrail.as_view(), name="audit"),
    re_path(r"^delete-transactions/?$", views.DeleteTransactions.as_view(), name="delete-transactions"),
    re_path(r"^docs/?$", views.Docs.as_view(), name="docs"),
    re_path(r"^pipeline/?$", views.Pipeline.as_view(), name="pipeline"),
    re_path(r"^rules/?$", rule_views.RuleList.as_view(), name="rules"),
    re_path(r"^rules/export/?$", rule_views.ExportRules.as_view(), name="export-rules"),
    re_path(r"^rules/import/?$", rule_views.ImportRules.as_view(), name="import-rules"),
    re_path(r"^rules/performance/?$", alert_views.RulePerformance.as_view(), name="rule-performance"),
    re_path(r"^rules/schema/?$", rule_views.RuleSchema.as_view(), name="rule-schema"),
    re_path(r"^rules/lists/?$", rule_views.UserLists.as_view(), name="lists"),
    re_path(rf"^{LIST}/?$", rule_views.UserListDetail.as_view(), name="list"),
    re_path(rf"^{LIST}/entries/?$", rule_views.ListEntries.as_view(), name="entries"),
    re_path(
        rf"^{LIST}/entries/(?P<entry>[0-9]{{1,18}})/end/?$", rule_views.EndEntry.as_view(), name="end-entry"
    ),
    re_path(rf"^{RULE}/?$", rule_views.RuleDetail.as_view(), name="rule"),
    re_path(rf"^{RULE}/backtests/?$", backtest_views.Backtests.as_view(), name="backtests"),
    re_path(rf"^{BACKTEST}/?$", backtest_views.BacktestDetail.as_view(), name="backtest"),
    re_path(rf"^{BACKTEST}/cancel/?$", backtest_views.CancelBacktest.as_view(), name="cancel-backtest"),
    re_path(rf"^{RULE}/hits/?$", rule_views.RuleHits.as_view(), name="hits"),
    re_path(rf"^{RULE}/versions/?$", rule_views.RuleVersions.as_view(), name="versions"),
    re_path(rf"^{VERSION}/?$", rule_views.RuleVersion.as_view(), name="version"),
    re_path(rf"^{VERSION}/submit/?$", rule_views.SubmitVersion.as_view(), name="submit-version"),
    re_path(rf"^{VERSION}/approve/?$", rule_views.ApproveVersion.as_view(), name="approve-version"),
    re_path(rf"^{VERSION}/retire/?$", rule_views.RetireVersion.as_view(), name="retire-version"),
    re_path(r"^schema/?$", views.Schema.as_view(), name="schema"),
    re_path(r"^snoozes/?$", alert_views.Snoozes.as_view(), name="snoozes"),
    re_path(r"^snoozes/(?P<id>[0-9]{1,18})/end/?$", alert_views.EndSnooze.as_view(), name="end-snooze"),
    re_path(r"^transactions/?$", views.TransactionList.as_view(), name="transactions"),
    re_path(r"^transactions/average/?$", views.TransactionAverages.as_view(), name="averages"),
    re_path(r"^transactions/(?P<id>.+?)/?$", views.TransactionDetail.as_view(), name="transaction"),
]
