# The Airbyte connector. See docs/airbyte.md for building, pushing and adding it.
FROM python:3.13-slim

# The platform runs connectors as this user, in a working directory of its own.
RUN useradd --uid 1000 --no-create-home airbyte \
 && mkdir /airbyte \
 && chown airbyte:airbyte /airbyte

COPY LICENSE README.md pyproject.toml pyspark_utility_intervals.py /build/
COPY dbt /build/dbt
COPY schemas /build/schemas
COPY tap_utility_intervals /build/tap_utility_intervals
RUN pip install --no-cache-dir /build && rm -rf /build

USER airbyte
WORKDIR /airbyte

# The platform evaluates the variable in a shell and never looks at ENTRYPOINT.
ENV AIRBYTE_ENTRYPOINT="/usr/local/bin/source-utility-intervals"
ENTRYPOINT ["/usr/local/bin/source-utility-intervals"]

LABEL io.airbyte.name="source-utility-intervals"
LABEL io.airbyte.version="0.1.0"
