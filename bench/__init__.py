"""`make bench` times halfsour against the interpreter's `_pickle`; `make bench-gate` counts instructions."""
