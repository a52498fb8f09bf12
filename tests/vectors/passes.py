#!/usr/bin/python3
"""Holds the passes of `skyferry-sim passes` against another way to them.

The satellite's place is that of python3-sgp4, an implementation that shares nothing with ours;
sidereal time, the station and its horizon are worked out here from their definitions, in plain
python; rise and set are looked for by stepping and bisecting.

    passes.py ELEMENTS PLAN START DAYS NUMBER:LATITUDE,LONGITUDE,METRES,MASK...

PLAN is what `--format ion` wrote, START seconds since 1970. Prints the largest differences.
Exit status: 0 all agree, 1 they do not.
"""
import calendar
import math
import sys
import time

from sgp4.api import Satrec

SECONDS_MAX = 2
RANGE_KM_MAX = 5.0
JULIAN_1970 = 2440587.5


def sidereal(seconds):
    """Greenwich mean sidereal time of 1982, in radians (Astronomical Almanac)."""
    midnight = math.floor(seconds / 86400.0) * 86400.0
    t = (midnight / 86400.0 + JULIAN_1970 - 2451545.0) / 36525.0
    at_midnight = 24110.54841 + 8640184.812866 * t + 0.093104 * t * t - 6.2e-6 * t ** 3
    return math.radians((at_midnight + 1.00273790935 * (seconds - midnight)) / 240.0 % 360.0)


def station(latitude, longitude, metres):
    """Where it is, in km, and its east, north and up, in the frame of the Earth (WGS-84)."""
    lat, lon = math.radians(latitude), math.radians(longitude)
    major, minor = 6378.137, 6378.137 * (1 - 1 / 298.257223563)
    n = major ** 2 / math.hypot(major * math.cos(lat), minor * math.sin(lat))
    h = metres / 1000.0
    place = ((n + h) * math.cos(lat) * math.cos(lon), (n + h) * math.cos(lat) * math.sin(lon),
             ((minor / major) ** 2 * n + h) * math.sin(lat))
    east = (-math.sin(lon), math.cos(lon), 0.0)
    north = (-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat))
    up = (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))
    return place, east, north, up


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def look(satellite, site, seconds):
    """Elevation in degrees and distance in km."""
    days = math.floor(seconds / 86400.0)
    error, position, _ = satellite.sgp4(JULIAN_1970 + days, (seconds - days * 86400.0) / 86400.0)
    if error:
        raise ValueError("python3-sgp4: error %d" % error)
    turned = sidereal(seconds)
    x = position[0] * math.cos(turned) + position[1] * math.sin(turned)
    y = position[1] * math.cos(turned) - position[0] * math.sin(turned)
    place, east, north, up = site
    to = (x - place[0], y - place[1], position[2] - place[2])
    level = math.hypot(dot(to, east), dot(to, north))
    return math.degrees(math.atan2(dot(to, up), level)), math.sqrt(dot(to, to))


def crossing(satellite, site, mask, low, high):
    above = look(satellite, site, low)[0] >= mask
    while high - low > 0.05:
        middle = (low + high) / 2
        if (look(satellite, site, middle)[0] >= mask) == above:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def passes(satellite, site, mask, start, days, step):
    found = []
    rise = start if look(satellite, site, start)[0] >= mask else None
    at = start
    while at < start + days * 86400:
        after = min(at + step, start + days * 86400)
        up = look(satellite, site, after)[0] >= mask
        if up and rise is None:
            rise = crossing(satellite, site, mask, at, after)
        elif not up and rise is not None:
            found.append((rise, crossing(satellite, site, mask, at, after)))
            rise = None
        at = after
    if rise is not None:
        found.append((rise, at))
    return found


def read_plan(path):
    """{(from, to): [(start, end)]} and {(from, to): [light seconds]}, of `a contact` and `a range`."""
    contacts, light = {}, {}
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] == "#":
                continue
            times = [calendar.timegm(time.strptime(word, "%Y/%m/%d-%H:%M:%S"))
                     for word in words[2:4]]
            pair = (int(words[4]), int(words[5]))
            if words[1] == "contact":
                contacts.setdefault(pair, []).append(tuple(times))
            else:
                light.setdefault(frozenset(pair), {})[times[0]] = float(words[6])
    return contacts, light


def satellites(path):
    with open(path, encoding="ascii") as file:
        lines = [line.rstrip() for line in file if line[:2] in ("1 ", "2 ")]
    for first, second in zip(lines[::2], lines[1::2]):
        yield Satrec.twoline2rv(first, second)


def main(arguments):
    elements, plan, start, days = arguments[0], arguments[1], int(arguments[2]), int(arguments[3])
    contacts, light = read_plan(plan)
    worst, worst_km, count, wrong = 0.0, 0.0, 0, 0
    for satellite in satellites(elements):
        low = satellite.no_kozai > 2 * math.pi / 225
        for text in arguments[4:]:
            number, _, values = text.partition(":")
            latitude, longitude, metres, mask = map(float, values.split(","))
            site = station(latitude, longitude, metres)
            ours = contacts.get((int(number), satellite.satnum), [])
            theirs = passes(satellite, site, mask, start, days, 10 if low else 60)
            theirs = [one for one in theirs if one[1] - one[0] > 2]
            ours = [one for one in ours if one[1] - one[0] > 1 or
                    any(abs(one[0] - other[0]) < 3 for other in theirs)]
            if len(ours) != len(theirs):
                print("station %s, satellite %d: %d passes, not %d" % (
                    number, satellite.satnum, len(ours), len(theirs)))
                wrong += 1
                continue
            for one, other in zip(ours, theirs):
                count += 1
                worst = max(worst, abs(one[0] - other[0]), abs(one[1] - other[1]))
                far = max(look(satellite, site, moment)[1] for moment in other)
                ranged = light[frozenset((int(number), satellite.satnum))][one[0]] * 299792.458
                if low:
                    worst_km = max(worst_km, abs(far - ranged))
    print("%d passes: at most %.2f s and, of low orbits, %.2f km from the other way to them" % (
        count, worst, worst_km))
    return 1 if wrong or count == 0 or worst > SECONDS_MAX or worst_km > RANGE_KM_MAX else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
