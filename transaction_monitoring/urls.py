"""Every path of the service."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import include, path, re_path, register_converter
from django.views.generic import RedirectView

from transactions.access.log_ins import bounded
from transactions.admin_site import api_docs, app_pages, documents
from transactions.dashboard.views import show_system

from .observability import health
from .observability.prometheus import metrics
from .serving import errors

admin.autodiscover()
register_converter(app_pages.AppLabelConverter, "app")


def icon(request: HttpRequest) -> HttpResponse:
    """For browsers that ask for it without reading any page, as they do of what is no page."""
    return redirect(static("transactions/icon.svg"))


urlpatterns = [
    path("api/", include("transactions.urls")),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/dashboard/", include("transactions.dashboard.urls")),
    path("admin/find/", include("transactions.admin_site.urls")),
    path("admin/system/", admin.site.admin_view(show_system), name="system"),
    path("admin/api/", admin.site.admin_view(api_docs.show), name="api-docs"),
    path("admin/docs/<slug:name>/", admin.site.admin_view(documents.show), name="document"),
    path("admin/<app:label>/", admin.site.admin_view(app_pages.show)),
    # Before the admin's own: these two hash what they are sent.
    path("admin/login/", bounded(admin.site.login)),
    path(
        "admin/password_change/", bounded(admin.site.admin_view(admin.site.password_change, cacheable=True))
    ),
    # Django's way to a row's page outside the admin: there is none, and it fails for a key that is no UUID.
    re_path("^admin/r/", errors.nothing_here),
    path("admin/", admin.site.urls),
    path("favicon.ico", icon),
    re_path(r"^livez/?$", health.live, name="livez"),
    re_path(r"^readyz/?$", health.ready, name="readyz"),
    re_path(r"^metrics/?$", metrics, name="metrics"),
    re_path(r"", errors.nothing_here),
]

handler400 = "transaction_monitoring.serving.errors.bad_request"
handler403 = "transaction_monitoring.serving.errors.permission_denied"
handler404 = "transaction_monitoring.serving.errors.not_found"
handler500 = "transaction_monitoring.serving.errors.server_error"
