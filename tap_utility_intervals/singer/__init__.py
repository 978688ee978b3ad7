"""The Singer SDK, bent to this tap: every private name of the SDK that is used."""
