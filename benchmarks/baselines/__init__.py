"""What we are measured against, each as small as it can be."""

# Views of `django_site`.
INSERT_PATH = "/insert/"
SEED_PATH = "/seed/"
# Where the baselines push, beside our own keys.
QUEUE = "baseline:queue"
CHANNEL = "baseline:channel"
