"""Take a picture of the first screen of a bundle's report, for the README.

    python -m benchmarks.picture BUNDLE docs/report.png

The picture is taken with a headless Chromium: the system's, or else Playwright's.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, HEIGHT = 1280, 980


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("picture", type=Path, help="File to write, ending in .png.")
    parser.add_argument("--height", type=int, default=HEIGHT, help="Height of the picture in pixels.")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": options.height}, color_scheme="light")
        page.goto((options.bundle / "report.html").absolute().as_uri())
        page.wait_for_function("document.documentElement.dataset.drawn === 'all'")
        page.screenshot(path=options.picture)
        browser.close()
    print(f"{options.picture}: {options.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
