"""The API's paths, each with and without the slash at its end: no POST is ever redirected."""

from django.urls import re_path

from . import backtest_views, rule_views, views, webhook_views

RULE, LIST = r"rules/(?P<id>[0-9]{1,18})", r"rules/lists/(?P<id>[0-9]{1,18})"
BACKTEST = RULE + r"/backtests/(?P<backtest>[0-9]{1,18})"
VERSION = RULE + r"/versions/(?P<number>[0-9]{1,9})"
WEBHOOK = r"webhooks/(?P<id>[0-9]{1,18})"
DELIVERY = WEBHOOK + r"/deliveries/(?P<delivery>[0-9]{1,18})"

urlpatterns = [
    re_path(r"^add-transaction/?$", views.AddTransaction.as_view(), name="add-transaction"),
    re_path(r"^add-transactions/?$", views.AddTransactions.as_view(), name="add-transactions"),
    re_path(r"^delete-transactions/?$", views.DeleteTransactions.as_view(), name="delete-transactions"),
    re_path(r"^docs/?$", views.Docs.as_view(), name="docs"),
    re_path(r"^events/?$", webhook_views.Events.as_view(), name="events"),
    re_path(r"^pipeline/?$", views.Pipeline.as_view(), name="pipeline"),
    re_path(r"^rules/?$", rule_views.RuleList.as_view(), name="rules"),
    re_path(r"^rules/export/?$", rule_views.ExportRules.as_view(), name="export-rules"),
    re_path(r"^rules/import/?$", rule_views.ImportRules.as_view(), name="import-rules"),
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
    re_path(r"^transactions/?$", views.TransactionList.as_view(), name="transactions"),
    re_path(r"^transactions/average/?$", views.TransactionAverages.as_view(), name="averages"),
    re_path(r"^transactions/(?P<id>.+?)/?$", views.TransactionDetail.as_view(), name="transaction"),
    re_path(r"^webhooks/?$", webhook_views.Webhooks.as_view(), name="webhooks"),
    re_path(rf"^{WEBHOOK}/?$", webhook_views.WebhookDetail.as_view(), name="webhook"),
    re_path(rf"^{WEBHOOK}/rotate/?$", webhook_views.RotateWebhook.as_view(), name="rotate-webhook"),
    re_path(rf"^{WEBHOOK}/off/?$", webhook_views.SwitchWebhookOff.as_view(), name="webhook-off"),
    re_path(rf"^{WEBHOOK}/on/?$", webhook_views.SwitchWebhookOn.as_view(), name="webhook-on"),
    re_path(rf"^{WEBHOOK}/test/?$", webhook_views.TestWebhook.as_view(), name="test-webhook"),
    re_path(rf"^{WEBHOOK}/deliveries/?$", webhook_views.Deliveries.as_view(), name="deliveries"),
    re_path(rf"^{DELIVERY}/send-again/?$", webhook_views.SendAgain.as_view(), name="send-again"),
]
