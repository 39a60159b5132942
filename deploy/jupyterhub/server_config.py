"""Configuration of each participant's notebook server."""

c = get_config()  # noqa: F821

# Kernels speak through sockets in the participant's own folder. Their TCP ports would be open to every user of the
# machine, who could read what a kernel prints.
c.KernelManager.transport = "ipc"

c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
