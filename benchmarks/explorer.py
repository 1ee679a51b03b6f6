"""How long a slider of the explorer takes, from the move to the picture, in a browser on 10,000 offers.

``python -m benchmarks.explorer [offers]`` moves the budget and the weights of each intent forty times and
prints the medians and the slowest, milliseconds. A move counts until the frame after the one that draws it.
"""

import sys
from importlib.resources import files
from statistics import median

import flare_core as flare
from benchmarks.scenarios import NOW, market
from flare_core.adapters.explorer.answers import World
from flare_core.options import Options
from flare_core.quantities import parse_moment
from tests.explorer.browser import Visit, chromium, explored

MOVES = 40


def main(offers: int) -> None:
    """Measure and print."""
    inventory = flare.read_inventory({"version": 1, "offers": list(market(offers))})
    world = World.of(inventory, Options())
    folder = files("flare_core") / "examples"
    titles = sum(entry.name[:1].isdigit() for entry in folder.iterdir())
    print(f"{offers} offers, {MOVES} moves each: median and slowest, ms")
    with chromium() as browser, explored(world, parse_moment(NOW)) as server:
        for k in range(titles):
            for slider in ("s-budget", "w-cost"):
                name, times = _times(Visit(browser, server.url), k, slider)
                print(f"{name:32} {slider:9} {median(times):6.0f} {max(times):6.0f}")


def _times(visit: Visit, example: int, slider: str) -> tuple[str, list[float]]:
    page = visit.page
    page.select_option("#example", str(example))
    page.wait_for_timeout(1_500)
    if slider.startswith("w-") and page.locator("#sliders .quiet").is_visible():
        page.locator("#sliders .quiet").click()
        page.wait_for_timeout(1_500)
    values = [(220 + 4 * move) if slider == "s-budget" else 2 * move + 5 for move in range(MOVES)]
    times = [visit.slide(slider, value) for value in values]
    name: str = page.locator("#f-workload-name").input_value()
    visit.close()
    return name, times


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
