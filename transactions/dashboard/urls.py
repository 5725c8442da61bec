"""Paths of the dashboard's figures; its page is the first of the admin site."""

from django.urls import path

from . import views

urlpatterns = [
    path("alarms/", views.show_alarms, name="dashboard-alarms"),
    path("alerts/", views.show_alerts, name="dashboard-alerts"),
    path("condition/", views.show_condition, name="dashboard-condition"),
    path("figures/", views.show_figures, name="dashboard-figures"),
    path("averages/", views.show_averages, name="dashboard-averages"),
    path("names/", views.show_names, name="dashboard-names"),
    path("refused/", views.show_refused, name="dashboard-refused"),
    path("start/", views.show_start, name="dashboard-start"),
    path("story/", views.show_story, name="dashboard-story"),
]
