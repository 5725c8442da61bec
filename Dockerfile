# The application, and nothing but what it runs on: no compiler, no tests, no development servers.

FROM python:3.12.13-slim-trixie
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STATIC_ROOT=/srv/static
# With a name: Celery takes a number that nobody has for root.
RUN groupadd --gid 10001 application && \
    useradd --uid 10001 --gid application --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin application
WORKDIR /srv
COPY requirements.lock requirements-files.lock ./
# `--build-arg FILES=1`: xlsx, parquet, camt and MT940 can be imported too, by packages of some 200 MB.
ARG FILES=
# Each package is in the lock, with its hashes: nothing is left to resolve. Without the packages' own tests, and
# without translations: whatever a browser asks for, words are English.
RUN pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes --no-compile \
    -r requirements.lock ${FILES:+-r requirements-files.lock} && \
    packages="$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" && \
    find "$packages" -name '*.[mp]o' ! -path '*/locale/en/*' -delete && \
    find "$packages" -depth -type d \( -name test -o -name tests \) ! -path '*/django/test' -exec rm -r {} +
COPY manage.py ./
COPY transaction_monitoring transaction_monitoring
COPY transactions transactions
# The runbook, which pages show.
COPY docs docs
# With a key that is thrown away: nothing is signed here. Of the packages that is compiled which the processes import:
# nobody can write it down later, and all of it would be as large as what is run.
RUN python -m compileall -q manage.py transaction_monitoring transactions && \
    export PYTHONDONTWRITEBYTECODE= SECRET_KEY="$(python -c 'import secrets; print(secrets.token_hex())')" && \
    python manage.py collectstatic --noinput && \
    python -c 'import daphne.cli, celery.bin.celery, celery.apps.worker, celery.apps.beat, kombu.transport.redis' && \
    python -c 'import transaction_monitoring.asgi'
# A number, so that whoever runs the image can tell that it is not root.
USER 10001:10001
EXPOSE 8000
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "transaction_monitoring.asgi:application"]
