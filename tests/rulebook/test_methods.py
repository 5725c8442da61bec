"""A method that a path does not have is told as such, with those it has, whoever asks with whatever right."""

import re

import pytest
from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator

from tests.rulebook.conftest import caller
from transactions import urls
from transactions.access.rights import Right

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "RIGHTS")


def rule_paths() -> dict[str, set[str]]:
    """Every path of rules, with keys of nothing there is, and the methods that the schema has for it."""
    described = SchemaGenerator().get_schema(public=True)["paths"]
    found = {}
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        path = str(pattern.pattern).strip("^$").removesuffix("/?")
        if path.startswith("rules"):
            named = "/api/" + re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", path) + "/"
            found[re.sub(r"{\w+}", "987654", named)] = {method.upper() for method in described[named]}
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("right", list(Right))
def test_another_method_than_a_path_of_rules_has_is_405_and_names_those_there_are(right: Right) -> None:
    api = caller("eve", right).api
    assert len(rule_paths()) > 15
    for path, there in rule_paths().items():
        allowed = there | {"OPTIONS"} | ({"HEAD"} if "GET" in there else set())
        for method in METHODS:
            if method in allowed:
                continue
            answer = api.generic(method, f"{path}?whatever=1", "{}", content_type="application/json")
            assert answer.status_code == 405, (method, path, answer.content)
            assert set(answer["Allow"].split(", ")) == allowed
            assert method == "HEAD" or answer.json() == {"detail": f'Method "{method}" not allowed.'}
