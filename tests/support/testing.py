"""What system tests share besides the laboratory."""

from __future__ import annotations


def time_limit(seconds: float):
    """Decorator: how long a test may take before it is failed."""
    def mark(function):
        function.time_limit = seconds
        return function
    return mark


def alone(function):
    """Decorator: nothing else runs beside this test, which asserts on times or loads the machine. ALONE = True in a
    file says it of all its tests."""
    function.alone = True
    return function
