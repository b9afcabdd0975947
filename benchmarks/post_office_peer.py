"""django-post_office with anymail on the same PostgreSQL and the same stub: `python -m benchmarks.post_office_peer`.

A line on its input with a number queues so many mails, made of a template when they are sent, as ours; it sends them with two processes
and prints the seconds that took. It sends one mail a request, asks no wishes and repeats a whole batch when killed.
"""

import sys
import time
import warnings

warnings.simplefilter("ignore")


def main() -> None:
    """Work until the input ends."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from post_office import mail
    from post_office.models import EmailTemplate

    from benchmarks.bench_outbox import TEXT

    call_command("migrate", verbosity=0)
    template = EmailTemplate.objects.create(
        name="over", subject="The draw {{ draw }} is over", content=TEXT, html_content=f"<p>{TEXT}</p>"
    )
    print("ready", flush=True)
    for line in sys.stdin:
        about = {"draw": "Spring", "site_url": "https://fair.example", "name": "Asha Kamau"}
        mail.send_many(
            [
                {
                    "recipients": f"p{at}@example.com",
                    "template": template,
                    "context": {**about, "code": at},
                    "render_on_delivery": True,
                }
                for at in range(int(line))
            ]
        )
        began = time.perf_counter()
        sent, failed, _requeued = mail.send_queued(processes=2)
        print(time.perf_counter() - began, flush=True)
        connection.close()  # its children have ended the one they inherited
        assert (sent, failed) == (int(line), 0)


if __name__ == "__main__":
    main()
