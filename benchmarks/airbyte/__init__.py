"""The Airbyte connector beside the Singer tap and beside a declarative manifest."""
