"""The Airbyte connector: the same tap in the same process, another message writer.

It speaks version 0.18 of the Airbyte protocol
(https://docs.airbyte.com/platform/understanding-airbyte/airbyte-protocol) without
airbyte-cdk. Streams, schemas, keys, settings and bookmarks are the tap's.
"""
