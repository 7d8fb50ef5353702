"""A crew of processes: who does what, and what the death of one costs."""

import os
import signal
import subprocess
import sys

import pytest

from separation.processes import Crew, Death, guard_missing, serving


def doubling(connection, least=0):
    """Double numbers; a process that is given a 0 dies, one that is given a name answers its variable."""
    with serving(connection):
        while True:
            number = connection.recv()
            if number == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            connection.send(os.environ.get(number) if isinstance(number, str) else max(least, 2 * number))


def never(connection):
    connection.close()
    os._exit(3)


def give(crew, *numbers):
    for number in numbers:
        crew.give(f"piece {number}", lambda connection, number=number: connection.send(number))


def collect(crew):
    found = {}
    while crew.busy:
        found.update(crew.answers())
    return found


def test_pieces_go_to_free_processes_and_come_back_by_name():
    with Crew(2, doubling, 5, name="double", environment={"MIR_A_TEST": "born with it"}) as crew:
        assert (crew.busy, crew.free, crew.answers()) == (0, True, [])
        give(crew, 1, 4)
        assert (crew.busy, crew.free) == (2, False)
        with pytest.raises(RuntimeError, match="all 2 processes are busy"):
            give(crew, 2)
        assert collect(crew) == {"piece 1": 5, "piece 4": 8}
        give(crew, "MIR_A_TEST")
        assert collect(crew) == {"piece MIR_A_TEST": "born with it"}
        assert "MIR_A_TEST" not in os.environ
        assert crew.answers(0.0) == []


def test_no_more_are_started_than_were_asked_for():
    with Crew(3, doubling, name="double") as crew:
        crew.have_idle(2)
        crew.have_idle(1)
        assert len(crew._members) == 2
        give(crew, 1)
        crew.have_idle(1)
        assert len(crew._members) == 2
        crew.have_idle(5)
        assert len(crew._members) == 3
        members = list(crew._members)
        processes = [member._process for member in members]
    assert crew._members == []
    for process in processes:
        with pytest.raises(ValueError, match="closed"):
            process.is_alive()


def test_the_death_of_one_costs_its_piece():
    with Crew(2, doubling, name="double") as crew:
        give(crew, 0, 3)
        found = collect(crew)
        assert found["piece 0"] == Death("signal SIGKILL, perhaps for lack of memory", begun=True)
        assert found["piece 3"] == 6
        give(crew, 1, 2)
        assert collect(crew) == {"piece 1": 2, "piece 2": 4}


def test_one_whose_crew_is_gone_ends_quietly():
    code = (
        "import multiprocessing\n"
        "from separation.processes import serving\n"
        "ours, theirs = multiprocessing.Pipe()\n"
        "ours.close()\n"
        "with serving(theirs):\n"
        "    theirs.recv()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_one_that_never_begins_is_told_apart():
    with Crew(1, never, name="never") as crew:
        give(crew, 1)
        assert collect(crew) == {"piece 1": Death("exit code 3", begun=False)}
    assert '`if __name__ == "__main__":`' in guard_missing("the workers", "works", "exit code 3")
