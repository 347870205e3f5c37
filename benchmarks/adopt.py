"""Mining roles from what many people hold.

    python benchmarks/adopt.py [--people 10000] [--entitlements 30]

Forty ways of working with five sixths of the entitlements each, of four hundred that there are; every person follows
one and holds as many at random besides as make up the number, so that nearly no two hold the same. One thread; the
seconds are the processor's.
"""

from __future__ import annotations

import argparse
import random
import time

from common import conclude, peak_memory_mb

from onboard.adopt.mining import mine

WAYS, RIGHTS = 40, 400


def main() -> None:
    """Mine, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--entitlements", type=int, default=30)
    sizes, chance = parser.parse_args(), random.Random(5)
    shared = sizes.entitlements * 5 // 6
    ways = [chance.sample(range(RIGHTS), shared) for _ in range(WAYS)]
    own = sizes.entitlements - shared
    held = {f"p-{n}": {*chance.choice(ways), *chance.sample(range(RIGHTS), own)} for n in range(sizes.people)}
    began = time.process_time()
    roles = mine(held, 2)
    seconds = time.process_time() - began
    total, covered = sum(map(len, held.values())), sum(len(role.people) * len(role.rights) for role in roles)
    print(f"{len(roles)} roles for {sizes.people} people in {seconds:.2f} s: they give {covered} of {total} rights")
    conclude(
        {
            "people": sizes.people,
            "rights": total,
            "roles": len(roles),
            "covered": covered,
            "seconds": round(seconds, 3),
            "peak_memory_mb": peak_memory_mb(),
        }
    )


if __name__ == "__main__":
    main()
