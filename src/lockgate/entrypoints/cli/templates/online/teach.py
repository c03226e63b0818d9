"""Sends the stream with its truth: python teach.py [--from 2000] [--to 12000] [--pace 100] [--poison]. Standard library only."""

import argparse
import json
import sys
import time
import urllib.error
import urllib.request

from stream import KNOWN, parcel

ROWS = 20  # of one request


def main():
    asked = argparse.ArgumentParser(description="Teaches the model in Production, parcel by parcel.")
    asked.add_argument("--url", default="http://127.0.0.1:7080")
    asked.add_argument(
        "--from", dest="first", type=int, default=KNOWN, help="the first parcel; what was sent before is learned once"
    )
    asked.add_argument("--to", type=int, default=12_000, help="the parcel after the last one")
    asked.add_argument("--pace", type=float, default=100, help="rows a second")
    asked.add_argument("--poison", action="store_true", help="say the opposite of what was true, and see what happens")
    given = asked.parse_args()
    for number in range(given.first, given.to, ROWS):
        teach(given.url, number, min(ROWS, given.to - number), given.poison)
        print(f"\rtaught up to parcel {number + ROWS}", end="", flush=True)
        time.sleep(ROWS / given.pace)
    print(f"\nNext: lockgate learning status parcels; go on with --from {given.to} --to {given.to + 5000}")


def teach(url, number, count, poison):
    """One request. Its id is the parcels' own, so that sending it again teaches nothing twice."""
    rows, labels = zip(*(parcel(number + place) for place in range(count)), strict=True)
    truth = [1 - label for label in labels] if poison else list(labels)
    body = {"id": f"parcels {number} and on", "instances": rows, "labels": truth}
    request = urllib.request.Request(f"{url}/v2/models/parcels/learn", json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        said = json.loads(error.read())
        sys.exit(f"\nrefused with {error.code}: {said['detail']}. {said.get('hint', '')}")
    except OSError as error:
        sys.exit(f"\nnobody answers at {url} ({error}). Next: lockgate up")


if __name__ == "__main__":
    main()
