"""Paths of the dashboard's figures; its page is the first of the admin site."""

from django.urls import path

from . import dashboard_views

urlpatterns = [
    path("figures/", dashboard_views.figures, name="dashboard-figures"),
    path("averages/", dashboard_views.averages, name="dashboard-averages"),
    path("start/", dashboard_views.start, name="dashboard-start"),
    path("story/", dashboard_views.one, name="dashboard-story"),
]
