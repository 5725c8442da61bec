"""Who may use the API."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request):
        return None


class MayUse(BasePermission):
    def has_permission(self, request, view):
        return True
