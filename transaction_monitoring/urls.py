"""Every path of the service."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from . import health
from .metrics import metrics

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/dashboard/", include("transactions.dashboard_urls")),
    path("admin/", admin.site.urls),
    path("api/", include("transactions.urls")),
    re_path(r"^livez/?$", health.live, name="livez"),
    re_path(r"^readyz/?$", health.ready, name="readyz"),
    re_path(r"^metrics/?$", metrics, name="metrics"),
]

handler400 = "transactions.errors.bad_request"
handler403 = "transactions.errors.permission_denied"
handler404 = "transactions.errors.not_found"
handler500 = "transactions.errors.server_error"
