"""Runs one dump or one load and writes down everything that can be seen of it."""

import io
import sys

import worlds
from isomorphism import without_addresses as text
from worlds import LOG, describe


def describe_error(error, depth=0):
    """Type, message, arguments, notes and the chain of causes."""
    if error is None or depth > 10:
        return None
    try:
        message = text(str(error))
    except Exception as problem:
        message = f"<no message: {problem!r}>"
    extra = [(name, describe(getattr(error, name))) for name in ("name", "obj", "path") if hasattr(error, name)]
    return (type(error), message,
            tuple(text(arg) if type(arg) is str else describe(arg) for arg in error.args), tuple(extra),
            tuple(text(note) for note in getattr(error, "__notes__", ())),
            ("cause", describe_error(error.__cause__, depth + 1)),
            ("context", describe_error(error.__context__, depth + 1)), error.__suppress_context__)


def is_recursion(error):
    while error is not None:
        if isinstance(error, RecursionError):
            return True
        error = error.__cause__ or error.__context__
    return False


class Outcome:
    """What came out; `fields` are compared one by one, `value` is the object or the bytes."""

    def __init__(self):
        self.value = None
        self.error = None
        self.fields = {}

    def differences(self, other):
        """[(field, what this one has, what the other has)]"""
        if is_recursion(self.error) or is_recursion(other.error):
            # Where recursion ends is each implementation's own affair; that it does is compared.
            if is_recursion(self.error) and is_recursion(other.error):
                return []
            return [("recursion", self.error, other.error)]
        return [(name, value, other.fields.get(name)) for name, value in self.fields.items()
                if value != other.fields.get(name)]


class Writer:
    """A file that remembers the chunks it is given."""

    def __init__(self):
        self.chunks = []

    def write(self, data):
        LOG.append(("write", type(data).__name__, len(data)))
        self.chunks.append(bytes(data))
        return len(data)


class Reader:
    """A file that logs how it is read, with or without the optional methods."""

    def __init__(self, data, methods=("read", "readline", "readinto", "peek")):
        self._file = io.BufferedReader(io.BytesIO(data))
        for name in methods:
            setattr(self, name, self._logged(name))

    def _logged(self, name):
        def call(argument=None):
            size = len(argument) if name == "readinto" else argument
            worlds.LOG.append(("file", name, size))
            method = getattr(self._file, name)
            return method() if argument is None else method(argument)
        return call

    def rest(self):
        return self._file.read()


def dumped(function):
    """The outcome of a dump. `function()` returns the chunks, the buffers and a summary of the memo."""
    outcome = Outcome()
    LOG.clear()
    seen = {}
    try:
        function(seen)
    except Exception as error:
        outcome.error = error
    outcome.fields = dict(seen, error=describe_error(outcome.error), log=list(LOG))
    outcome.value = seen.get("chunks")
    LOG.clear()
    return outcome


def loaded(function):
    outcome = Outcome()
    LOG.clear()
    seen = {}
    auditing.on = True
    try:
        outcome.value = function(seen)
    except Exception as error:
        outcome.error = error
    finally:
        auditing.on = False
    outcome.fields = dict(seen, error=describe_error(outcome.error), log=list(LOG))
    LOG.clear()
    return outcome


class _Auditing:
    """Puts the audit event of find_class into the log. An audit hook cannot be removed, so there is just one."""

    on = False
    _added = False

    def add(self):
        if not self._added:
            sys.addaudithook(self._hook)
            type(self)._added = True

    def _hook(self, event, arguments):
        if self.on and event == "pickle.find_class":
            LOG.append(("audit", event, arguments))


auditing = _Auditing()

