"""Alerts: what stands out, put together by rule and user, for somebody to deal with."""
