"""Pickles that point into a database: a recipe is written as its key in SQLite, and looked up when it is loaded."""

import io
import sqlite3
from typing import Any, NamedTuple

import halfsour as pickle


class Recipe(NamedTuple):
    key: int
    name: str
    days: int


class Batch:
    def __init__(self, recipe: Recipe, jars: int) -> None:
        self.recipe = recipe
        self.jars = jars


class CookbookPickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> tuple[str, int] | None:
        if isinstance(obj, Recipe):
            return "recipe", obj.key
        return None  # everything else goes into the pickle itself


class CookbookUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, cookbook: sqlite3.Connection) -> None:
        super().__init__(file)
        self.cookbook = cookbook

    def persistent_load(self, pid: Any) -> Recipe:
        table, key = pid
        row = self.cookbook.execute("SELECT key, name, days FROM recipe WHERE key = ?", (key,)).fetchone()
        if table != "recipe" or row is None:
            raise pickle.UnpicklingError(f"the cookbook has no {table} {key}")
        return Recipe(*row)


def main(protocol: int | None = None) -> bytes:
    cookbook = sqlite3.connect(":memory:")
    cookbook.execute("CREATE TABLE recipe (key INTEGER PRIMARY KEY, name TEXT, days INTEGER)")
    recipes = [Recipe(1, "half sour", 4), Recipe(2, "full sour", 21)]
    cookbook.executemany("INSERT INTO recipe VALUES (?, ?, ?)", recipes)

    file = io.BytesIO()
    CookbookPickler(file, protocol).dump([Batch(recipes[0], jars=12), Batch(recipes[1], jars=6)])

    # The recipe changes after the batches were pickled; loading them finds the new one.
    cookbook.execute("UPDATE recipe SET days = 5 WHERE name = 'half sour'")
    file.seek(0)
    batches = CookbookUnpickler(file, cookbook).load()
    for batch in batches:
        print(f"{batch.jars} jars of {batch.recipe.name}, ready in {batch.recipe.days} days")
    cookbook.close()
    return file.getvalue()


if __name__ == "__main__":
    main()
