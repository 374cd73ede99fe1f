"""A real Slurm on this machine, for tests: munged, slurmctld and slurmd with files and ports of their own."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
PATIENCE = 60.0  # seconds for whatever Slurm is asked to do
CONFIG = """\
ClusterName=tangsweep
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/spool
SlurmdPidFile={folder}/slurmd.pid
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SwitchType=switch/none
ReturnToService=2
KillWait=5
OverTimeLimit=0
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 Port={node_port} CPUs=2 RealMemory=8000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_unavailable() -> str:
    """Return why there can be no Slurm here; an empty string where there can."""
    missing = [program for program in PROGRAMS if find(program) is None]
    if missing:
        return f"{', '.join(missing)} not installed: apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "slurmd starts as root only"


def find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class SlurmCluster:
    """One node with two cores. `environment` is what its commands need."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        for name in ("state", "spool"):
            (self._folder / name).mkdir(parents=True)
        key = self._folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        ports = [free_port(), free_port()]
        config = CONFIG.format(
            host=socket.gethostname(), folder=self._folder, controller_port=ports[0], node_port=ports[1]
        )
        (self._folder / "slurm.conf").write_text(config)
        files = {name: f"--{name}={self._folder}/munge.{name.partition('-')[0]}" for name in
                 ("key-file", "pid-file", "log-file", "seed-file", "socket")}  # fmt: skip
        self._start("munged", "--foreground", "--force", *files.values())
        wait_until((self._folder / "munge.socket").exists)
        self.start_controller()
        self.start_node()

    def start_controller(self) -> None:
        """Start slurmctld, anew or again."""
        self._start("slurmctld", "-D")
        wait_until(lambda: "UP" in self.run("scontrol", "ping"))

    def stop_controller(self) -> None:
        self._stop("slurmctld")

    def lose_node(self) -> None:
        """Kill the node with all that runs on it, as where its power fails, and let Slurm know."""
        slurmd = self._processes.pop("slurmd")
        slurmd.kill()
        slurmd.wait(PATIENCE)
        wait_until(lambda: not self._kill_steps())
        self.run("scontrol", "update", "NodeName=node", "State=DOWN", "Reason=lost")

    def start_node(self) -> None:
        """Start the node's daemon, anew or again."""
        self._start("slurmd", "-D", "-N", "node")
        self.run("scontrol", "update", "NodeName=node", "State=RESUME")
        wait_until(lambda: "idle" in self.run("sinfo", "--noheader", "--format=%t"))

    def _kill_steps(self) -> bool:
        """Kill the jobs' processes; return whether there were any."""
        own, found = f"SLURM_CONF={self._folder}/slurm.conf".encode(), False
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = (process / "environ").read_bytes().split(b"\0")
                is_step = (process / "cmdline").read_bytes().startswith(b"slurmstepd")
                is_of_job = any(value.startswith(b"SLURM_JOB_ID=") for value in environment)
                if own in environment and (is_step or is_of_job):
                    os.kill(int(process.name), signal.SIGKILL)
                    found = True
        return found

    def run(self, *command: str) -> str:
        """Return what one of Slurm's commands prints, whether or not it succeeds."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        return done.stdout

    def jobs(self, state: str = "all") -> list[str]:
        """Return the names of the jobs in a state."""
        return self.run("squeue", "--noheader", "--array", f"--states={state}", "--format=%i").split()

    def close(self) -> None:
        """Cancel every job and end what was started."""
        with suppress(subprocess.TimeoutExpired):
            for job in self.jobs("PENDING,RUNNING"):
                self.run("scancel", job)
            wait_until(lambda: not self.jobs("PENDING,RUNNING,COMPLETING"))
        for name in ("slurmd", "slurmctld", "munged"):
            self._stop(name)

    def _start(self, program: str, *arguments: str) -> None:
        found = find(program)
        assert found is not None
        with (self._folder / f"{program}.out").open("ab") as output:
            self._processes[program] = subprocess.Popen(
                [found, *arguments], env=self.environment, stdout=output, stderr=output
            )

    def _stop(self, program: str) -> None:
        process = self._processes.pop(program, None)
        if process is not None:
            process.terminate()
            process.wait(PATIENCE)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(is_true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a condition. Fails after `seconds`."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


@contextmanager
def started(folder: Path) -> Iterator[SlurmCluster]:
    """Yield a Slurm that runs inside the `with` block."""
    cluster = SlurmCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
