# vitviz in a container. docs/deployment.md describes its use; `docker compose up` applies the limits of compose.yaml.
FROM python:3.11-slim-bookworm AS build
ARG TORCH_BACKEND=cpu
ENV UV_NO_CACHE=1
WORKDIR /source
# the packages first, because they change less often than the app
COPY requirements requirements
COPY scripts/container_steps.sh scripts/
RUN scripts/container_steps.sh install /opt/vitviz
COPY . .
RUN scripts/container_steps.sh copy /opt/vitviz && scripts/container_steps.sh size /opt/vitviz

FROM python:3.11-slim-bookworm
# user 1000, as Hugging Face Spaces expect; the only folder it needs to write is for downloaded models
RUN useradd --uid 1000 --create-home --shell /usr/sbin/nologin vitviz \
    && install -d -o vitviz -g vitviz /home/vitviz/.cache /home/vitviz/.cache/huggingface
COPY --from=build /opt/vitviz/venv /opt/vitviz/venv
COPY --from=build /opt/vitviz/app /opt/vitviz/app
ENV PATH=/opt/vitviz/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/home/vitviz/.cache/huggingface \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true
WORKDIR /opt/vitviz/app
USER 1000
RUN scripts/container_steps.sh check /opt/vitviz
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["/opt/vitviz/app/scripts/container_steps.sh", "health"]
CMD ["/opt/vitviz/venv/bin/streamlit", "run", "app.py"]
