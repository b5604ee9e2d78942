"""The command line. Each command imports what it needs when it runs, so that `--help` answers at once."""

import errno
import logging
import sys

import typer

from agent.errors import ThresherError, Waiting
from serving.commands import ablate, data, engine, export, keys, models, plan, report, roles, run, serve, service, study
from serving.system.machine import share_cores, sum_in_order

INTERRUPTED = 130
_OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}
"""No room or no permission: the user's to mend. Any other is a mistake of ours, and is not dressed up."""

app = typer.Typer(
    help="LLM-agent active learning: unlabelled text in, labels, a trained student and honest proof out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("resume")(run.resume)
app.command("runs")(run.runs)
app.command("demo")(run.demo)
app.command("export")(export.export)
app.command("plan")(plan.plan)
app.command("study")(study.study)
app.command("ablate")(ablate.ablate)
app.command("report")(report.report)
app.command("replay")(report.replay)
app.command("select")(roles.select)
app.command("annotate")(roles.annotate)
app.command("generate")(roles.generate)
app.command("serve")(serve.serve)
app.add_typer(service.app, name="service")
app.add_typer(keys.app, name="keys")
app.add_typer(engine.app, name="engine")
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")


def main() -> None:
    """Exit codes: 0 done, 2 something the user can mend, 3 people have to answer first, 130 interrupted."""
    share_cores()
    sum_in_order()
    logging.getLogger().addHandler(logging.NullHandler())  # errors are one line; the service sets up its own log
    try:
        code = app(prog_name="thresher", standalone_mode=False)  # so that a wrong option, too, is told in one line
    except Waiting as waiting:
        _say(str(waiting))
        code = 3
    except ThresherError as error:
        _say(f"error: {error}")
        code = 2
    except OSError as error:
        _say(_lacking(error))
        code = 2
    except typer.TyperException as error:
        code = error.exit_code
        if said := error.format_message():  # empty where the help was printed
            _say(f"error: {said.rstrip('.')}; see {_command(error)} --help")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # inside a command, typer makes this code of an interrupt
        _say("interrupted; what was recorded is kept: thresher resume RUN, or the same study or ablation, goes on")
    sys.exit(code)


def _lacking(error: OSError) -> str:
    """What the machine lacks. Raises the error itself where it is another."""
    if error.errno not in _OF_THE_MACHINE:
        raise error
    return f"error: {error.filename or 'a file'}: {error.strerror}; make room, or name another folder"


def _command(error: typer.TyperException) -> str:
    """The command that the wrong words were meant for."""
    return getattr(getattr(error, "ctx", None), "command_path", "thresher")


def _say(line: str) -> None:
    sys.stderr.write(" ".join(line.split()) + "\n")
