# One image for all roles: `docker build -t receiptstream .`, then `docker run receiptstream ingest`.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/receiptstream
ENV PATH=/opt/receiptstream/bin:$PATH
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-build-isolation --no-deps .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home --home-dir /var/lib/receiptstream receiptstream
COPY --from=build /opt/receiptstream /opt/receiptstream
ENV PATH=/opt/receiptstream/bin:$PATH STATE_DIR=/var/lib/receiptstream/state METRICS_HOST=0.0.0.0
USER receiptstream
# Made here, so that a volume mounted on it belongs to the user.
RUN mkdir "$STATE_DIR"
VOLUME /var/lib/receiptstream/state
ENTRYPOINT ["receipts"]
CMD ["--help"]
