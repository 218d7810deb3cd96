"""`python -m halfsour FILE...`: prints what pickles hold, as `python -m pickle` does.

It loads them, so it may run any code that they name.
"""

import argparse
import pprint
import sys

import halfsour


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m halfsour", description="display contents of the pickle files")
    parser.add_argument("pickle_file", nargs="+", help="the pickle file, or - for standard input")
    for path in parser.parse_args().pickle_file:
        if path == "-":
            pprint.pprint(halfsour.load(sys.stdin.buffer))
        else:
            with open(path, "rb") as file:
                pprint.pprint(halfsour.load(file))


if __name__ == "__main__":
    main()
