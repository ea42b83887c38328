# Mien in a container, for amd64 and arm64:
#
#   docker build -t mien .
#   docker compose up          # compose.yaml: the page at http://localhost:8080/, a USB camera or a stream
#
# opencv-python-headless takes the place of opencv-python, which needs 200 MB of libraries for windows.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY edge edge
COPY train train
COPY convert convert
RUN python3 -m venv /opt/mien \
    && /opt/mien/bin/pip install --no-cache-dir --quiet --only-binary=:all: --constraint constraints.txt \
        numpy "opencv-python-headless>=4.10,<5" typer ai-edge-litert \
        starlette uvicorn prometheus-client paho-mqtt \
    && /opt/mien/bin/pip install --no-cache-dir --quiet --no-deps . \
    && /opt/mien/bin/pip uninstall --quiet --yes pip \
    # Of the interpreter's package only what runs on the CPU: 32 MB less.
    && cd /opt/mien/lib/python3*/site-packages/ai_edge_litert \
    && rm -rf libLiteRtWebGpuAccelerator.so vendors tools \
    && find /opt/mien -name __pycache__ -prune -exec rm -rf {} +

FROM ${BASE}
COPY --from=build /opt/mien /opt/mien
# Cameras belong to the group video, whose number is 44 on Debian and Raspberry Pi OS.
RUN useradd --system --uid 10001 --groups video --home-dir /data --shell /usr/sbin/nologin mien \
    && mkdir /data && chown mien:mien /data
USER mien
WORKDIR /data
VOLUME /data
# Where the generated token of the page is kept: /data/page-token.
ENV PATH=/opt/mien/bin:$PATH STATE_DIRECTORY=/data PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1 \
    MIEN_CONFIG=none
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["mien"]
CMD ["run", "--web", "0.0.0.0:8080", "--append"]
