"""The product's server on SQLite without its worker, which `tallyhook serve` refuses since nobody else could work then.

It is composed as `serve` composes it, with the settings of the environment. `python -m benchmarks.intake` runs it.
"""

import asyncio
import random

from bot.app import create_app
from bot.clock import SystemClock
from bot.logs import set_up_logs
from bot.plans_file import read_plans
from bot.server import serve, stop_signals
from bot.settings import ServerSettings, read_settings, secret_values
from storage.database import Database


async def main() -> None:
    """Serve until SIGTERM."""
    settings = read_settings(ServerSettings)
    set_up_logs(level=settings.log_level, form=settings.log_format, secrets=secret_values(settings))
    clock = SystemClock()
    app = create_app(
        settings=settings,
        clock=clock,
        database=Database.connect(settings.database_url.get_secret_value(), clock=clock, exclusive=True),
        plans=read_plans(settings.plans_file),
        chance=random.Random(),
        has_worker=False,
    )
    with stop_signals() as stop:
        await serve(app, host="127.0.0.1", port=0, stop=stop, on_listening=lambda _address: None)


if __name__ == "__main__":
    asyncio.run(main())
