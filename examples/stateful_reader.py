"""A reader of a file that is pickled half-way: the open file stays out, and loading it goes on at the same line."""

from typing import Any

import halfsour as pickle


class LineReader:
    """Reads a text file line by line and counts the lines."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.number = 0
        self.file = open(path, encoding="utf-8")

    def read(self) -> str:
        self.number += 1
        return f"{self.number}: {self.file.readline().rstrip()}"

    def close(self) -> None:
        self.file.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "number": self.number, "position": self.file.tell()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]
        self.number = state["number"]
        self.file.seek(state["position"])


def main(protocol: int | None = None) -> bytes:
    reader = LineReader(__file__)
    print(reader.read())
    reader.read()
    data = pickle.dumps(reader, protocol)

    twin = pickle.loads(data)
    following = reader.read()
    assert twin.read() == following
    print(following)
    reader.close()
    twin.close()
    return data


if __name__ == "__main__":
    main()
