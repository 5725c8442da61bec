# The application, and nothing but what it runs on: no compiler, no tests, no development servers.

# Every package is verified here by its hash; what comes out is a folder of wheels.
FROM python:3.12.13-slim-trixie AS wheels
WORKDIR /build
COPY requirements.txt requirements.lock ./
RUN pip wheel --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements.lock -w /wheels

FROM python:3.12.13-slim-trixie
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 STATIC_ROOT=/srv/static
# With a name: Celery takes a number that nobody has for root.
RUN groupadd --gid 10001 application && \
    useradd --uid 10001 --gid application --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin application
WORKDIR /srv
COPY requirements.txt ./
# From that folder alone, and of it only what requirements.txt asks for. It is not kept in a layer.
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels --compile -r requirements.txt
COPY manage.py ./
COPY transaction_monitoring transaction_monitoring
COPY transactions transactions
# With a key that is thrown away: nothing is signed here.
RUN python -m compileall -q manage.py transaction_monitoring transactions && \
    SECRET_KEY="$(python -c 'import secrets; print(secrets.token_hex())')" python manage.py collectstatic --noinput
# A number, so that whoever runs the image can tell that it is not root.
USER 10001:10001
EXPOSE 8000
CMD ["daphne", "-b", "0.0.0.0", "-p", "8000", "transaction_monitoring.asgi:application"]
