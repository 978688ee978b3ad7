"""The commands for people, beside the sandbox: `collect` and `doctor`."""
