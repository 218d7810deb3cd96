"""Writes what well-known packages pickle, for `ecosystem.rs`: versions of today, and some of years ago.

    python3.11 make.py
    python3.13 make.py

Each makes an environment that is thrown away, with the packages that are pinned for it. The tree:

    <package>-<version>/<name>.<protocol>.pickle
    <package>-<version>/<name>.apart.pickle             protocol 5, with buffers out of band:
    <package>-<version>/<name>.apart.<number>.buffer

Whatever differs from run to run is fixed: the order of sets, times, random ids, names of files.
"""

import datetime
import decimal
import functools
import itertools
import logging.handlers
import os
import pathlib
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import types
import uuid
import venv
import zoneinfo

HERE = pathlib.Path(__file__).resolve().parent
ALL = range(6)
PINNED = {
    "3.11": "cloudpickle==2.2.1 Django==4.2.30 numpy==1.26.4 pandas==2.2.3 pydantic==1.10.27 pytz==2026.6"
    " scikit-learn==1.3.2 scipy==1.17.1",
    "3.13": "attrs==26.1.0 celery==5.7.0 cloudpickle==3.1.3 dill==0.4.1 Django==6.1.3 kombu==5.7.0 networkx==3.7"
    " numpy==2.5.5 pandas==3.1.1 pyarrow==26.0.1 pydantic==2.14.4 scikit-learn==1.9.1 scipy==1.18.1"
    " SQLAlchemy==2.1.9",
}
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
IS_NEW = RUNNING == "3.13"
NOON = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC)


def module(name, source):
    """A module of this source, which has no file."""
    made = sys.modules[name] = types.ModuleType(name)
    sys.modules.setdefault(name.partition(".")[0], made)
    exec(compile(source, f"{name}.py", "exec"), made.__dict__)
    return made


def pandas():
    import numpy as np
    import pandas as pd

    protocols = ALL if IS_NEW else (2, 4, 5)
    some = (2, 5) if IS_NEW else (4,)
    frame = pd.DataFrame({
        "jar": np.array([1, 2, 3], "i8"),
        "litres": [0.5, 1.0, None],
        "open": [True, False, True],
        "label": ["dill", "mustard", None],
        "packed": pd.to_datetime(["2026-02-28", "2026-03-01", None]),
        "shelf": np.array([7, 8, 9], "i8"),
    })
    yield "frame", frame, [*protocols, "apart"]
    series = pd.Series([1.5, 2.5], index=["a", "b"], name="litres")
    yield "series", series, [*protocols, "apart"]
    yield "shared", [frame, frame, frame.index, series, series.index], (4, 5)
    yield "empty", pd.DataFrame(), some
    yield "categorical", pd.Series(pd.Categorical(["b", "a", None, "b"], ["a", "b"], ordered=True)), protocols
    hours = pd.date_range("2026-10-25", periods=3, freq="h", tz="Europe/Vienna")
    yield "hours", hours, [*protocols, "apart"]
    yield "periods", pd.period_range("2026-01", periods=3, freq="M"), some
    yield "deltas", pd.to_timedelta([1, 2, None], unit="h"), some
    yield "intervals", pd.cut([1, 7, 5], 2), some
    rows = pd.MultiIndex.from_product([["north", "south"], [1, 2]], names=["side", "shelf"])
    yield "rows", pd.DataFrame({("litres", "full"): range(4), ("litres", "left"): 0.5}, index=rows), protocols
    anything = [None, "spam", 1, 2.5, [1], {"a": (1,)}, decimal.Decimal("1.5"), datetime.date(2026, 7, 1)]
    yield "objects", pd.Series(anything, dtype=object), protocols
    yield "nullable", pd.DataFrame({
        "Int64": pd.array([1, None], "Int64"),
        "Float32": pd.array([0.5, None], "Float32"),
        "boolean": pd.array([True, None], "boolean"),
        "string": pd.array(["dill", None], "string[python]"),
    }), [*protocols, "apart"]
    yield "sparse", pd.Series(pd.arrays.SparseArray([0, 0, 1])), some
    scalars = [pd.Timestamp("2026-07-01 12:00", tz="Europe/Vienna"), pd.Timestamp("2026-07-01"), pd.Timedelta("1h")]
    yield "scalars", [*scalars, pd.NaT, pd.NA, pd.Period("2026-07"), pd.Interval(0, 1), pd.offsets.MonthEnd()], some
    if IS_NEW:
        arrow = pd.array(["dill", None, "mustard"], "string[pyarrow]")
        yield "arrow", pd.DataFrame({"string": arrow, "ints": pd.array([1, 2, None], "int8[pyarrow]")}), [5, "apart"]


FUNCTIONS = """
import dataclasses, enum, functools, math

RATE = 0.2


def counter(start):
    count = start

    def step(by=1, *, twice: bool = False):
        "Counts on."
        nonlocal count
        count += 2 * by if twice else by
        return count

    return step


def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def taxed(price):
    return math.ceil(price * (1 + RATE))


def squares(n):
    try:
        yield from (i * i for i in range(n))
    finally:
        pass


class Shape:
    "A class that no module can be asked for."
    sides = 0
    __slots__ = "name", "__weakref__"

    def __init__(self, name):
        self.name = name

    @property
    def upper(self):
        return self.name.upper()

    @classmethod
    def named(cls, name):
        return cls(name)

    @staticmethod
    def unit():
        return 1


class Square(Shape):
    sides = 4

    def __init__(self, name, side):
        super().__init__(name)
        self.side = side


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


@dataclasses.dataclass(frozen=True, repr=False)
class Point:
    x: int
    y: int = 0


power = lambda base, exponent=2: base**exponent
step = counter(7)
"""


def functions():
    main = module("__main__", FUNCTIONS)
    yield "lambda", main.power
    yield "closure", main.step
    yield "recursive", main.factorial
    yield "mutual", [main.even, main.odd]
    yield "globals", main.taxed
    yield "generator", main.squares
    yield "class", main.Shape
    yield "instance", [main.Square("s", 2), main.Square("t", 3)]
    yield "enum", [main.Color.RED, main.Color]
    yield "dataclass", main.Point(1)
    yield "partial", functools.partial(main.power, exponent=3)
    yield "method", main.Square("s", 2).named
    yield "task", (main.taxed, (1.5,), {"shape": main.Square})


def cloudpickle():
    import cloudpickle

    # Classes have random ids, by which they are known when they come again.
    numbers = itertools.count(1)
    cloudpickle.cloudpickle.uuid = types.SimpleNamespace(uuid4=lambda: uuid.UUID(int=next(numbers)))
    for name, obj in functions():
        for protocol in (2, 4, 5) if IS_NEW else (5,):
            yield name, cloudpickle.dumps(obj, protocol), protocol


def dill():
    import dill

    for name, obj in functions():
        if name in ("lambda", "closure", "recursive", "class", "instance"):
            yield name, dill.dumps(obj, 4, recurse=True), 4


SHOP = """
from django.db import models
from django.utils.translation import gettext_lazy


class Customer(models.Model):
    name = models.CharField(gettext_lazy("name"), max_length=50)

    class Meta:
        app_label = "shop"


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    total = models.DecimalField(max_digits=8, decimal_places=2)
    placed = models.DateTimeField()
    note = models.TextField(null=True)

    class Meta:
        app_label = "shop"
"""


def django():
    import django
    from django.conf import settings

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    templates = {"BACKEND": "django.template.backends.django.DjangoTemplates"}
    settings.configure(DATABASES={"default": database}, TEMPLATES=[templates], USE_TZ=True, SECRET_KEY="k",
                       DEFAULT_AUTO_FIELD="django.db.models.AutoField")
    django.setup()
    from django.core.cache import cache
    from django.db import connection, models
    from django.http import HttpResponse, QueryDict
    from django.template import engines
    from django.template.response import SimpleTemplateResponse
    from django.utils.functional import lazystr
    from django.utils.safestring import mark_safe
    from django.utils.translation import gettext_lazy

    shop = module("shop.models", SHOP)
    with connection.schema_editor() as editor:
        editor.create_model(shop.Customer)
        editor.create_model(shop.Order)
    ada = shop.Customer.objects.create(name="Ada")
    for total, note in ("12.50", "by bike"), ("7.00", None):
        shop.Order.objects.create(customer=ada, total=decimal.Decimal(total), placed=NOON, note=note)
    orders = shop.Order.objects.order_by("id")

    protocols = ALL if IS_NEW else (4, 5)
    some = (2, 5) if IS_NEW else (5,)
    yield "model", orders.get(id=1), protocols
    yield "unsaved", shop.Order(total=1), some
    yield "related", orders.select_related("customer").get(id=2), protocols
    yield "queryset", orders.all(), protocols
    yield "query", orders.filter(models.Q(customer__name="Ada") | models.Q(total__gt=3)).query, some
    yield "values", orders.values("id", "total"), some
    yield "session", {
        "_auth_user_id": "1",
        "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": "5a8f",
        "cart": [{"jar": 7, "count": 2}],
        "_session_expiry": NOON + datetime.timedelta(days=14),
    }, protocols
    data = QueryDict("jar=7&jar=8&q=dill")
    yield "texts", [gettext_lazy("Page not found"), mark_safe("<b>dill</b>"), lazystr("egg"), data], some
    template = engines["django"].from_string("<p>{{ jar }}</p>")
    response = SimpleTemplateResponse(template, {"jar": "dill"})
    response.set_cookie("side", "north")
    yield "template_response", response.render(), some
    yield "response", HttpResponse("dill", headers={"X-Shelf": "7"}, charset="utf-8"), some
    # What the cache in memory keeps, which is what those in Redis and in files do.
    cache.set("key", {"rows": list(orders), "title": gettext_lazy("Orders")})
    yield "cache", next(iter(cache._cache.values())), [cache.pickle_protocol]


TASKS = """
from celery import Celery

app = Celery("tasks", broker="memory://", backend="cache+memory://")
app.conf.update(task_serializer="pickle", result_serializer="pickle", accept_content=["pickle"])


class NoSuchJar(Exception):
    pass


@app.task(name="tasks.pack")
def pack(jar, litres=1.0):
    raise NoSuchJar("no such jar", jar)


@app.task(name="tasks.count")
def count(jars):
    return len(jars)


def failed(ExceptionInfo):
    try:
        pack.run(7)
    except NoSuchJar as error:
        return ExceptionInfo(), error
"""


def celery():
    from billiard.einfo import ExceptionInfo
    from celery import chain, chord, group
    from kombu.serialization import dumps, pickle_protocol

    tasks = module("tasks", TASKS)
    ids = map("task-{}".format, itertools.count(1))

    def signature(task, *args, **kwargs):
        return task.s(*args, **kwargs).set(task_id=next(ids))

    def message(task, args, kwargs, **options):
        return tasks.app.amqp.as_task_v2(next(ids), task.name, args, kwargs, **options).body

    def kombu(body):
        return dumps(body, serializer="pickle")[2]

    pack, count = tasks.pack, tasks.count
    callbacks = [signature(count)]
    link = signature(count).set(countdown=10)
    info, error = tasks.failed(ExceptionInfo)
    bodies = {
        "message": message(pack, (7,), {"litres": 0.5}),
        "message_values": message(pack, (NOON, decimal.Decimal("0.5")), {"jars": {3}, "id": uuid.UUID(int=7)}),
        "message_linked": message(pack, (7,), {}, callbacks=callbacks, errbacks=[link], chain=[link]),
    }
    for name, body in bodies.items():
        yield name, kombu(body), pickle_protocol

    backend = tasks.app.backend
    for name, result, state, text in (
        ("result", {"packed": [7, 8], "at": NOON}, "SUCCESS", None),
        ("failure", backend.prepare_exception(error, "pickle"), "FAILURE", info.traceback),
    ):
        meta = backend._get_result_meta(result, state, text, None)
        meta.update(task_id=next(ids), date_done=NOON.isoformat())
        yield name, backend.encode(meta), pickle_protocol
    one = signature(pack, 7, litres=0.5)
    for protocol in ALL:
        yield "signature", pickle.dumps(one, protocol), protocol
    for name, canvas in (
        ("chain", chain(signature(pack, 7), signature(count))),
        ("group", group([signature(pack, 7), signature(pack, 8)], task_id="group-1")),
        ("chord", chord([signature(pack, 7)], signature(count))),
        # What a process of the pool sends to the one that started it.
        ("info", info),
    ):
        for protocol in (2, 5):
            yield name, pickle.dumps(canvas, protocol), protocol


def sklearn():
    import numpy as np
    from scipy import sparse
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 5.0])
    some = (4, 5) if IS_NEW else (5,)
    yield "regression", LinearRegression().fit(x, y), ALL if IS_NEW else (4, 5)
    yield "pipeline", make_pipeline(StandardScaler(), LinearRegression()).fit(x, y), some
    yield "tree", DecisionTreeClassifier(random_state=0).fit(x, [0, 0, 1]), [*some, "apart"]
    yield "encoder", OneHotEncoder().fit([["dill"], ["mustard"]]), some
    yield "sparse", sparse.csr_matrix(np.eye(2)), some


PYDANTIC = """
import datetime, typing
import pydantic


class Jar(pydantic.BaseModel):
    label: str
    litres: float = 1.0
    packed: typing.Optional[datetime.date] = None


class Shelf(pydantic.BaseModel):
    jars: typing.List[Jar]
    _dusty: bool = pydantic.PrivateAttr(True)
"""


def pydantic():
    kitchen = module("kitchen", PYDANTIC)
    jar = kitchen.Jar(label="dill", packed="2026-07-01")
    yield "jar", jar, ALL if IS_NEW else (4, 5)
    yield "shelf", kitchen.Shelf(jars=[jar, kitchen.Jar(label="mustard", litres=0.5)]), (4, 5)


ATTRS = """
import attrs


@attrs.define
class Jar:
    label: str
    litres: float = 1.0


@attrs.frozen
class Lid:
    size: int


class Old:
    pass


Old = attrs.define(slots=False)(type("Old", (), {"__annotations__": {"size": int}, "__module__": "kitchen"}))
"""


def attrs():
    kitchen = module("kitchen", ATTRS)
    yield "instances", [kitchen.Jar("dill"), kitchen.Lid(7), kitchen.Old(8)], ALL


ORM = """
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Shelf(Base):
    __tablename__ = "shelf"
    id = Column(Integer, primary_key=True)
    jars = relationship("Jar", back_populates="shelf")


class Jar(Base):
    __tablename__ = "jar"
    id = Column(Integer, primary_key=True)
    label = Column(String)
    shelf_id = Column(ForeignKey("shelf.id"))
    shelf = relationship(Shelf, back_populates="jars")
"""


def sqlalchemy():
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    orm = module("orm", ORM)
    engine = create_engine("sqlite://")
    orm.Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(orm.Shelf(jars=[orm.Jar(label="dill"), orm.Jar(label="mustard")]))
        session.commit()
        shelf = session.query(orm.Shelf).one()
        assert len(shelf.jars) == 2
        yield "shelf", shelf, ALL


def networkx():
    import networkx as nx

    graph = nx.DiGraph([("north", "south", {"steps": 7}), ("south", "north")], name="shelves")
    yield "graph", graph, (2, 5)


def python():
    """What the standard library's own modules send and keep, and what others send as plain values."""
    values = {
        "name": "shop.orders", "msg": "order %d of %s", "args": (7, "Ada"), "levelno": 30, "levelname": "WARNING",
        "created": NOON.timestamp(), "msecs": 0.0, "relativeCreated": 1.5, "filename": "shop.py", "lineno": 12,
        "pathname": "shop.py", "module": "shop", "funcName": "place", "process": 7, "processName": "MainProcess",
        "thread": 8, "threadName": "MainThread", "taskName": None,
    }
    record = logging.makeLogRecord(values)
    # Four bytes of length come before the pickle.
    yield "log_socket", logging.handlers.SocketHandler("", 0).makePickle(record)[4:], 1
    yield "carbon", pickle.dumps([("jars.north", (NOON.timestamp(), 7.5)), ("jars.south", (0, 8))], 2), 2
    things = {
        "log_record": record,
        "zones": [NOON.astimezone(zoneinfo.ZoneInfo("Europe/Vienna")), NOON, zoneinfo.ZoneInfo.no_cache("UTC")],
        "simple": types.SimpleNamespace(label="dill", jars=[1, 2]),
        "errors": ExceptionGroup("several", [OSError(2, "gone", "jar"), KeyError("lid")]),
        "path": [pathlib.PurePosixPath("shelf/jar"), pathlib.PureWindowsPath("c:/jar")],
    }
    yield "random", pickle.dumps(random.Random(7), 4), 4
    things["errors"].add_note("mind the lids")
    for name, thing in things.items():
        for protocol in (0, 2, 4, 5):
            yield name, pickle.dumps(thing, protocol), protocol


def put(folder, name, made, protocol):
    buffers = []
    if not isinstance(made, bytes):
        is_apart = protocol == "apart"
        made = pickle.dumps(made, 5 if is_apart else protocol, buffer_callback=buffers.append if is_apart else None)
    for place in sys.prefix, sys.base_prefix, str(HERE):
        assert place.encode() not in made, f"{name} tells of {place}"
    (folder / f"{name}.{protocol}.pickle").write_bytes(made)
    for number, buffer in enumerate(buffers):
        (folder / f"{name}.apart.{number}.buffer").write_bytes(buffer.raw())


def write():
    makers = [cloudpickle, django, pandas, pydantic, sklearn]
    if IS_NEW:
        makers += [attrs, celery, dill, networkx, python, sqlalchemy]
    pins = dict(pin.lower().replace("scikit-learn", "sklearn").split("==") for pin in PINNED[RUNNING].split())
    for maker in makers:
        version = ".".join(pins.get(maker.__name__, RUNNING).split(".")[:2])
        folder = HERE / f"{maker.__name__}-{version}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, made, protocols in maker():
            for protocol in [protocols] if isinstance(protocols, int) else protocols:
                put(folder, name, made, protocol)


def main():
    if sys.argv[1:] == ["--installed"]:
        return write()
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = f"{folder}/bin/python"
        pip = [python, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
        subprocess.run([*pip, *PINNED[RUNNING].split()], check=True)
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        subprocess.run([python, __file__, "--installed"], check=True, env=environment)


main()
