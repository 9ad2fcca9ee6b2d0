# One image for all roles: `docker build -t receiptstream .`, then `docker run receiptstream ingest`.
# It holds what runs on your own Kafka and ClickHouse; the sandbox's parts (`receipts up`, `demo`) are not in it.
ARG PYTHON=python:3.11-slim-bookworm
FROM ${PYTHON} AS build
WORKDIR /src
RUN python -m venv /opt/receiptstream
ENV PATH=/opt/receiptstream/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# The event path is compiled: a processor needs a third less CPU time so (docs/performance.md).
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
COPY deploy/requirements.lock deploy/build.lock deploy/
RUN pip install --no-cache-dir --no-compile --require-hashes -r deploy/requirements.lock
RUN pip install --no-cache-dir --no-compile --require-hashes -r deploy/build.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY core core
COPY schemas schemas
COPY ingest ingest
COPY processors processors
COPY sinks sinks
COPY dashboard dashboard
COPY sandbox sandbox
COPY cli cli
RUN RECEIPTSTREAM_COMPILE=1 pip install --no-cache-dir --no-compile --no-build-isolation --no-deps . \
 && receipts --version | grep --quiet '(compiled)'
# What was needed to compile; whatever else stands in the build's lock is in the other one too.
RUN pip uninstall --yes mypy ast-serialize librt pathspec && receipts --help >/dev/null

FROM ${PYTHON}
RUN useradd --uid 10001 --create-home --home-dir /var/lib/receiptstream receiptstream
COPY --from=build /opt/receiptstream /opt/receiptstream
ENV PATH=/opt/receiptstream/bin:$PATH STATE_DIR=/var/lib/receiptstream/state METRICS_HOST=0.0.0.0 METRICS_PORT=9100 \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TZ=UTC
# By number: Kubernetes cannot tell from a name that it is not root.
USER 10001
# Made here, so that a volume mounted on it belongs to the user.
RUN mkdir "$STATE_DIR"
VOLUME /var/lib/receiptstream/state
EXPOSE 8080 8090 9100
ENTRYPOINT ["receipts"]
CMD ["--help"]
