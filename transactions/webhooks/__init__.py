"""Events and webhooks as the API has them."""
