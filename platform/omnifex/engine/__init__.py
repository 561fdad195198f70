"""The engine: jobs as threads, their component calls through one dispatcher per device."""
