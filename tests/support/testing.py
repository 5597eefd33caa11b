"""What system tests share besides the laboratory."""

from __future__ import annotations


def time_limit(seconds: float):
    """Decorator: how long a test may take before it is failed."""
    def mark(function):
        function.time_limit = seconds
        return function
    return mark
