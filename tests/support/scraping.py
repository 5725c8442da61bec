"""What /metrics shows, for tests."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families


def figures(text: str) -> dict[str, float]:
    """Samples by their name and labels: requests_total{endpoint=…,status=…} without the prefix."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[sample.name.removeprefix("transactions_") + (f"{{{labels}}}" if labels else "")] = (
                sample.value
            )
    return found


def scraped(client: Any) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return figures(answer.content.decode())
