"""Every setting, once, read from the environment. Closed by default.

`.env.example` and the README's table name the same variables; a test holds the three together.
A bad value ends any program, Daphne and Celery too, with one line.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.templatetags.static import static

from transactions.stores import sentinel_url

from . import database_settings, notification_settings, server_urls, ticks
from .environment import currency, day, env, is_locked, one_of, switch, whole
from .observability import logs

BASE_DIR = Path(__file__).resolve().parent.parent
# A running `make run` leaves its settings here, so that commands in a second terminal find its
# servers. What the environment says wins.
DATA_DIR = BASE_DIR / (env.str("DATA_DIR", default="") or ".local")
if run_is_there := is_locked(DATA_DIR / "run.lock"):
    env.read_env(DATA_DIR / "run.env")

# --- Who we are -------------------------------------------------------------------------------

DEBUG = switch("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY and run_is_there:
    sys.exit(f"the `make run` in {DATA_DIR} is not ready yet: try again once it says so")
if not SECRET_KEY:
    sys.exit(
        f"SECRET_KEY is not set, and no `make run` of yours runs in {DATA_DIR}: set DATA_DIR to "
        "the directory of one that does, start one, or put a long random value into SECRET_KEY"
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- Who may do what --------------------------------------------------------------------------

# Requests without credentials are let in, from loopback and never from a foreign page. For private
# runs; with DEBUG off it is an error of `check --deploy`.
ALLOW_ANONYMOUS_API = switch("ALLOW_ANONYMOUS_API", False)
# DELETE /api/delete-transactions/ empties everything: for test systems.
ALLOW_DELETE_ALL = switch("ALLOW_DELETE_ALL", False)

# Who approves a version of a rule is not who wrote it. PostgreSQL refuses it otherwise.
FOUR_EYES = switch("FOUR_EYES", not DEBUG)

# --- The pipeline -----------------------------------------------------------------------------

# Seconds between two ticks of Celery Beat; what is accepted is stored one or two of these later.
FLUSH_INTERVAL_SECONDS = whole("FLUSH_INTERVAL_SECONDS", 5, least=1)
# Records of one PostgreSQL transaction of the flush: large enough to amortise a commit, small
# enough to hold locks for well under a second.
FLUSH_CHUNK_RECORDS = whole("FLUSH_CHUNK_RECORDS", 10_000, least=1)
# Records that may wait in the queue before intake answers 503.
MAX_QUEUE_LENGTH = whole("MAX_QUEUE_LENGTH", 2_000_000, least=1)
# Bytes below Redis' own maxmemory at which intake answers 503, so that Celery's messages still fit.
REDIS_RESERVE_BYTES = whole("REDIS_RESERVE_BYTES", 64 * 1024 * 1024)
# Milliseconds that intake waits for what PostgreSQL knows before it goes on from Redis alone.
LOOKUP_TIMEOUT_MS = whole("LOOKUP_TIMEOUT_MS", 250, least=1)
# Records of one POST to /api/add-transactions/.
MAX_BATCH_RECORDS = whole("MAX_BATCH_RECORDS", 10_000, least=1)
# Bytes of one request body; 10,000 records of 400 bytes fit.
DATA_UPLOAD_MAX_MEMORY_SIZE = whole("DATA_UPLOAD_MAX_MEMORY_SIZE", 5 * 1024 * 1024, least=1024)

# Finds transactions by any part of their id, by an index that costs the flush at each insert; off, by the
# beginning. Once it is changed, `manage.py search_index` makes the index or takes it away.
SEARCH_PARTS = switch("SEARCH_PARTS", True)
# Milliseconds of PostgreSQL for all that one search asks together: with what else it takes an answer comes in
# a fifth of a second, as one types.
SEARCH_MS_MAX = whole("SEARCH_MS_MAX", 140, least=1)
# An answer of the dashboard is kept for so many times as long as it took, and for its few seconds at least:
# with 20, no figure keeps PostgreSQL busy for more than 5 % of the time. 0: for its few seconds.
KEPT_TIMES_ITS_COST = whole("KEPT_TIMES_ITS_COST", 20)

# Bytes of one uploaded file, with the form around it. An export of half a million rows fits; each is kept in
# PostgreSQL for some days, and one at a time in the temporary directory of a web process.
UPLOAD_BYTES_MAX = whole("UPLOAD_BYTES_MAX", 50 * 1024 * 1024, least=1024)
# The form that has a file puts it away by itself; for any other none is kept on the disk.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]

# The first day (of UTC) in which a transaction may have happened. A date of long ago is a mistake more
# often than not, 0001-01-01 above all, and years in which nothing else happened cost every average.
EARLIEST_CREATED_AT = day("EARLIEST_CREATED_AT", "1970-01-01")

# The one currency of all amounts (ISO 4217), by which people are shown 1,234.56 instead of 123456. It changes
# nothing that is stored. Unset, amounts are plain numbers: no default would be right for most.
CURRENCY = currency("CURRENCY")

# Records that one token, or one address without a token, may send in a second, and at once after a
# pause; 0 sets no limit. The default is well above what a client sends that posts one by one, and
# leaves room for others on a machine that takes ten times as much.
RATE_LIMIT_RECORDS_PER_SECOND = whole("RATE_LIMIT_RECORDS_PER_SECOND", 2_000)
RATE_LIMIT_BURST = whole("RATE_LIMIT_BURST", 20_000, least=1)
if RATE_LIMIT_RECORDS_PER_SECOND and RATE_LIMIT_BURST < MAX_BATCH_RECORDS:
    sys.exit("RATE_LIMIT_BURST must be MAX_BATCH_RECORDS or more")

# Days after which settled transactions are removed, by a tick a minute; 0 keeps them for ever. Their
# averages stay. Choose it longer than any client goes on retrying: an id that is gone is new again.
RETENTION_DAYS = whole("RETENTION_DAYS", 0)
# The dashboard reckons with rows and rollups of the last two days side by side, so both must be there.
RETENTION_DAYS_MIN, RETENTION_DAYS_MAX = 3, 36_500
if RETENTION_DAYS and not RETENTION_DAYS_MIN <= RETENTION_DAYS <= RETENTION_DAYS_MAX:
    sys.exit(f"RETENTION_DAYS must be 0, or from {RETENTION_DAYS_MIN} to {RETENTION_DAYS_MAX}")

# Seconds for which a connection that idles is kept. Whoever keeps connections to us, a balancer or a
# proxy, must be the first to close one, or a request meets a connection that is just going: this is
# above AWS' 60, nginx' 75 and Google's 600.
KEEP_ALIVE_SECONDS = whole("KEEP_ALIVE_SECONDS", 620, least=1)

# Plain POSTs, GETs of one transaction and static files are answered in front of Django's threads, and lists,
# averages and the books there without what is around a view; off, everything works, only slower.
FAST_LANE = switch("FAST_LANE", True)

# Requests that one web process gives to Django at once, each in a thread with a connection to PostgreSQL
# that lasts. A few more than processors that wait for stores; docs/scaling.md counts the connections.
DJANGO_THREADS = whole("DJANGO_THREADS", 8, least=1)
# Requests of one web process that may wait for such a thread, 10 seconds each; the others are answered 503.
DJANGO_WAITING_MAX = whole("DJANGO_WAITING_MAX", 500)

# --- Being told -------------------------------------------------------------------------------

# How people call the service from outside, for links in messages; by default the first of ALLOWED_HOSTS.
SITE_URL = env.str("SITE_URL", default="").rstrip("/") or notification_settings.site_url(ALLOWED_HOSTS)
# Secrets of webhooks are kept encrypted with the first of these, and read with any: so a key is changed by
# putting another one before it. Without one there are no webhooks.
try:
    WEBHOOK_SECRET_KEYS = notification_settings.secret_keys(env.list("WEBHOOK_SECRET_KEYS", default=[]))
    # Networks that are not public, to which webhooks may be sent all the same. Without any, none of them.
    WEBHOOK_PRIVATE_NETWORKS = notification_settings.networks(
        env.list("WEBHOOK_PRIVATE_NETWORKS", default=[])
    )
    # A mail server, as in smtp+tls://user:password@mail.example.org:587; empty sends no mail. In no
    # capitals: Django's debug page shows all settings, and this holds a password.
    email = notification_settings.email(env.str("EMAIL_URL", default=""))
except notification_settings.Fault as error:
    sys.exit(str(error))
EMAIL_ENABLED = bool(email)
EMAIL_BACKEND = email.get("EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend")
EMAIL_HOST, EMAIL_PORT = email.get("EMAIL_HOST") or "localhost", email.get("EMAIL_PORT") or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = (
    email.get("EMAIL_HOST_USER") or "",
    email.get("EMAIL_HOST_PASSWORD") or "",
)
EMAIL_FILE_PATH = email.get("EMAIL_FILE_PATH") or None
EMAIL_USE_TLS, EMAIL_USE_SSL = email.get("EMAIL_USE_TLS", False), email.get("EMAIL_USE_SSL", False)
# Seconds for which a mail server is waited for at each step: to connect, and for each whole reply.
EMAIL_TIMEOUT = 15
# Who writes; mail servers want an address that is theirs.
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="transactions@localhost")

# --- Servers ----------------------------------------------------------------------------------

# In no capitals: Django's debug page shows all settings, and this holds a password.
database_url = env.str("DATABASE_URL", default="postgres://localhost/transactions_database")
if fault := server_urls.fault_in_database_url(database_url):
    sys.exit(f"DATABASE_URL {fault}")
DATABASES = {"default": database_settings.configuration(database_url)}
# A standby, or several, from which the API's list and averages and the staff's list of transactions are read;
# they are then some seconds behind. Off by default: everything is read where it is written.
read_url = env.str("DATABASE_READ_URL", default="")
if fault := read_url and server_urls.fault_in_database_url(read_url, writes=False):
    sys.exit(f"DATABASE_READ_URL {fault}")
if read_url:
    DATABASES["standby"] = database_settings.configuration(read_url, writes=False)
DATABASE_ROUTERS = ["transactions.stores.standby_reads.StandbyRouter"] if read_url else []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
if fault := server_urls.fault_in_redis_url(REDIS_URL):
    sys.exit(f"REDIS_URL {fault}")

# Where sentinels tell which server is the primary: replicas that there should be beside it. Every record is
# then on the disks of the primary and of each of them before it is acknowledged.
REDIS_REPLICAS = whole("REDIS_REPLICAS", 2, least=1)
# Milliseconds for which they are waited for, twice: for the record, and for their disks; then 503.
REPLICA_TIMEOUT_MS = whole("REPLICA_TIMEOUT_MS", 500, least=1)
if REPLICA_TIMEOUT_MS > 2_000:
    sys.exit("REPLICA_TIMEOUT_MS must be 2000 or less: a connection that is silent for 3 seconds is given up")
# Seconds that a replica must be gone for until the others are enough: longer than a failover takes, and than
# the 10 seconds in which each sentinel asks each server what it is.
REPLICA_GONE_SECONDS = whole("REPLICA_GONE_SECONDS", 12, least=11)

# Celery names a Unix socket in its own way.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
}
redis_host: dict[str, Any] = {"address": REDIS_URL}
if primary_told := sentinel_url.read(REDIS_URL):
    # Nobody else pays for loading it.
    from transactions.stores import sentinels

    redis_host = sentinels.of_channel_layer(primary_told)
    CELERY_BROKER_URL = primary_told.of_broker
    CELERY_BROKER_TRANSPORT_OPTIONS |= sentinels.of_broker(primary_told)
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {
            # Longer than the 5 s for which channels-redis blocks on a read: redis-py's own default
            # is the same 5 s, and an idle socket would break each time.
            "hosts": [{**redis_host, "socket_timeout": 15}],
            "prefix": "transactions",
            "capacity": 1000,
            "expiry": 60,
        },
    }
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TIMEZONE = "UTC"
# One flusher writes at a time, so one child is enough; the parent stays free for `celery inspect`.
CELERY_WORKER_CONCURRENCY = 1
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A backtest takes minutes, and the flush waits for nobody: a worker of its own takes this queue, and one
# that is not told of queues takes the other alone.
# Messages have a third: they wait for receivers, and a backtest must not hold them up.
CELERY_TASK_ROUTES = {
    "transactions.tasks.run_backtest": {"queue": "backtests"},
    "transactions.tasks.run_upload": {"queue": "backtests"},
    "transactions.tasks.deliver_messages": {"queue": "notifications"},
    "transactions.tasks.look_after_system": {"queue": "notifications"},
}
# Loaded by the first that has one to send.
TICKS_SENT_BY = "transaction_monitoring.celery.send_tick"
# Ends a child that hangs in spite of every timeout below it.
CELERY_TASK_TIME_LIMIT = 300
# Without a file of what was sent when: transaction_monitoring/ticks.py says what is sent as Beat starts.
CELERY_BEAT_SCHEDULER = "celery.beat.Scheduler"
CELERY_BEAT_SCHEDULE = ticks.schedule(float(FLUSH_INTERVAL_SECONDS), prunes=bool(RETENTION_DAYS))

# --- Django -----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "transaction_monitoring.serving.development.Development",
    # Before the theme, whose frame it replaces; and that before the admin, whose templates it replaces.
    "transactions",
    "unfold",
    # Its pages are found with the paths, which a worker has none of.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "transaction_monitoring.serving.collected.CollectedFiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    # The files of Swagger UI.
    "drf_spectacular_sidecar",
    "axes",
    "transactions.notifications",
    "transactions.alerts",
    "transactions.audit",
    "transactions.rules",
    "transactions.uploads",
]
MIDDLEWARE = [
    # Around all that answers.
    "transaction_monitoring.serving.security_headers.content_policies",
    "django.middleware.security.SecurityMiddleware",
    # Before whatever reads an address, and a form.
    "transaction_monitoring.serving.errors.ErrorPages",
    "transaction_monitoring.serving.odd_requests.OddRequests",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "transactions.access.throttling.rate_limit_headers",
    "axes.middleware.AxesMiddleware",
    "transactions.access.acting.actor_of_request",
    "transactions.admin_site.viewer_zone.in_viewers_zone",
    "transactions.admin_site.viewer_locale.in_viewers_locale",
]
ROOT_URLCONF = "transaction_monitoring.urls"
WSGI_APPLICATION = "transaction_monitoring.wsgi.application"
ASGI_APPLICATION = "transaction_monitoring.asgi.application"
# Both spellings of every path are routes; no POST is ever redirected.
APPEND_SLASH = False
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the theme's, of which it replaces one.
        "DIRS": [BASE_DIR / "transactions" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                # The zone of a page's times, by name.
                "django.template.context_processors.tz",
                "transactions.dashboard.condition.of_top_bar",
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Five wrong passwords for a name from an address close the log-in to that pair for a quarter of an
# hour: nobody locks the others of an office out, or a name everywhere.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "transactions.access.addresses.client_address"
AXES_LOCKOUT_CALLABLE = "transactions.access.lockout.closed"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
# `manage.py axes_list_attempts` and `axes_reset` show and clear them.
AXES_ENABLE_ADMIN = False
# Where a log-in ends that no page asked for.
LOGIN_REDIRECT_URL = "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"transactions.access.passwords.{name}"}
    for name in ("LongEnough", "UnlikeTheirs", "Uncommon", "NotOfDigits")
]
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "transaction_monitoring.formats"
TEST_RUNNER = "dev.test_runner.PytestRunner"

STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(DATA_DIR / "static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "transaction_monitoring.serving.static_files.HashedFilesStorage"
    },
}

# The admin site's theme.
UNFOLD = {
    "SITE_TITLE": "Transaction monitor",
    "SITE_HEADER": "Transaction monitor",
    "SITE_SYMBOL": "payments",
    "LOGIN": {"form": "transactions.access.log_in_form.LogInForm"},
    "DASHBOARD_CALLBACK": "transactions.dashboard.views.with_dashboard",
    "SIDEBAR": {"navigation": "transactions.admin_site.sidebar.sidebar"},
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("transactions/icon.svg"),
        }
    ],
    "STYLES": [
        lambda request: static("transactions/looks/tokens.css"),
        lambda request: static("transactions/looks/components.css"),
        lambda request: static("transactions/looks/frame.css"),
    ],
}

# --- Transport --------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = switch("SECURE_SSL_REDIRECT", not DEBUG)
# Probes and Prometheus reach the process itself, from inside and without TLS. They are told no more
# for it: who may read shows a token here too.
SECURE_REDIRECT_EXEMPT = [r"^livez/?$", r"^readyz/?$", r"^metrics/?$"]
# The header that a trusted proxy sets, as "Name,value"; empty where there is no proxy.
if proxy_header := env.str("SECURE_PROXY_SSL_HEADER", default=""):
    header, _, scheme = proxy_header.partition(",")
    SECURE_PROXY_SSL_HEADER = (f"HTTP_{header.upper().replace('-', '_')}", scheme or "https")
# Proxies that each add the caller's address to the end of X-Forwarded-For; it is not read with 0.
TRUSTED_PROXIES = whole("TRUSTED_PROXIES", 0)
SECURE_HSTS_SECONDS = whole("SECURE_HSTS_SECONDS", 0 if DEBUG else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = switch("SECURE_HSTS_INCLUDE_SUBDOMAINS", not DEBUG)
SECURE_HSTS_PRELOAD = switch("SECURE_HSTS_PRELOAD", not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Pages load what we serve and nothing else; 'self' covers the websocket too.
_POLICY = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "img-src": "'self' data:",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{name} {sources}" for name, sources in _POLICY.items())
# The admin's theme works with Alpine, which evaluates attributes, and with styles in attributes.
ADMIN_SECURITY_POLICY = (
    f"{CONTENT_SECURITY_POLICY}; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"
)
PERMISSIONS_POLICY = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"

# --- REST -------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    # In ASCII: an answer may have to repeat half a character, which no encoding has.
    "UNICODE_JSON": False,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "transaction_monitoring.serving.negotiation.AlwaysJSON",
    "DEFAULT_PARSER_CLASSES": [
        "transactions.intake.parsers.BoundedJSONParser",
        "transactions.intake.parsers.BoundedFormParser",
        "transactions.intake.parsers.WholeMultiPartParser",
    ],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "transactions.access.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["transactions.access.permissions.MayUse"],
    "EXCEPTION_HANDLER": "transaction_monitoring.serving.errors.answer",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
# The schema at /api/schema/; what its calls say is in transactions/openapi/operations.py.
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "TITLE": "Transaction monitor",
    "DESCRIPTION": "Posts transactions, each safe on disk before it is acknowledged, and reads them.",
    "VERSION": "1",
    "DISABLE_DOCSTRING_DESCRIPTIONS": True,
    "POSTPROCESSING_HOOKS": [
        "transactions.openapi.rule_shapes.add",
        "transactions.openapi.backtests.add",
        "transactions.openapi.alert_shapes.add",
        "transactions.openapi.webhooks.add",
        "transactions.openapi.components.complete",
        "transactions.openapi.probes.add",
    ],
}

# --- Log --------------------------------------------------------------------------------------

# Lines of JSON for a collector; plain ones where somebody reads along.
LOGGING = logs.configuration(one_of("LOG_LEVEL", "INFO", logs.LEVELS), readable=DEBUG or sys.stderr.isatty())
# Where errors are reported, by Sentry's protocol; empty for nowhere.
SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    # Nobody else pays for loading it.
    from .observability import sentry

    sentry.start(SENTRY_DSN)
