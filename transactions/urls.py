"""The API's paths, each with and without the slash at its end: no POST is ever redirected."""

from django.urls import re_path

from . import views

urlpatterns = [
    re_path(r"^add-transaction/?$", views.AddTransaction.as_view(), name="add-transaction"),
    re_path(r"^add-transactions/?$", views.AddTransactions.as_view(), name="add-transactions"),
    re_path(r"^audit/?$", views.AuditTrail.as_view(), name="audit"),
    re_path(r"^delete-transactions/?$", views.DeleteTransactions.as_view(), name="delete-transactions"),
    re_path(r"^docs/?$", views.Docs.as_view(), name="docs"),
    re_path(r"^pipeline/?$", views.Pipeline.as_view(), name="pipeline"),
    re_path(r"^schema/?$", views.Schema.as_view(), name="schema"),
    re_path(r"^transactions/?$", views.TransactionList.as_view(), name="transactions"),
    re_path(r"^transactions/average/?$", views.TransactionAverages.as_view(), name="averages"),
    re_path(r"^transactions/(?P<id>.+?)/?$", views.TransactionDetail.as_view(), name="transaction"),
]
