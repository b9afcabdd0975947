"""The live hub: updates for many browsers from one process, in plain asyncio.

No ORM, no Django request, no thread a stream: Redis on one side (`relay`), browsers on the other (`application`), who
listens to what in between (`board`), and who is here (`attendance`). A browser brings a signed token that names its topics.
What it missed for a short while is sent again from Redis; when that can't be told for certain, it gets a `resync` and asks the site.
"""

from notifications.hub.application import PATHS, Hub

__all__ = ["PATHS", "Hub"]
