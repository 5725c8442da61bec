"""The paths of the search, which is no page of a model."""

from django.contrib import admin
from django.urls import path

from . import search

urlpatterns = [
    path("", admin.site.admin_view(search.show_page), name="search-page"),
    path("found/", search.show_found, name="search"),
]
