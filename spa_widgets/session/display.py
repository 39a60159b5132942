"""How jobs look in a notebook without a widget: HTML in which every piece of data is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from spa_widgets.session.figures import figures_table
from spa_widgets.session.queue import CANCELLED, FAILED, FINISHED, QUEUED, RUNNING

if TYPE_CHECKING:
    from spa_widgets.session.job import Job
    from spa_widgets.session.session import Session

# colours that people with any colour vision can tell apart (Okabe–Ito), and a symbol besides
STATE_COLOURS = {QUEUED: "#999999", RUNNING: "#0072B2", FINISHED: "#009E73", FAILED: "#D55E00", CANCELLED: "#CC79A7"}
STATE_SYMBOLS = {QUEUED: "○", RUNNING: "▶", FINISHED: "✓", FAILED: "✗", CANCELLED: "■"}


def duration(seconds: float | None) -> str:
    """Write a duration for people: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def badge(state: str) -> str:
    """Return a status as coloured text with a symbol."""
    colour = STATE_COLOURS.get(state, "#999999")
    return f'<span style="color:{colour};font-weight:600">{STATE_SYMBOLS.get(state, "")} {escape(state)}</span>'


def job_html(job: Job) -> str:
    """Draw a job: name, status, progress, figures, warnings, error."""
    state = job.status
    rows = [f"<b>{escape(job.name)}</b> {escape(job.step.title)} {badge(state)} {escape(duration(job.seconds))}"]
    if state == RUNNING:
        left = f", {duration(job.eta_s)} left" if job.eta_s is not None else ""
        rows.append(f'<progress value="{job.progress:.3f}" max="1"></progress> {job.progress:.0%}{escape(left)}')
        rows.append(escape(job.message))
    rows.append(escape(job.waiting_text or job.origin))
    rows += [f'<span style="color:#D55E00">{escape(job.error)}</span>'] if job.error else []
    rows += [f"⚠ {escape(str(text))}" for text in job.warnings[-5:]]
    code = f'<code style="overflow-wrap:anywhere">{escape(job.code())}</code>'
    return f"<div>{'<br>'.join(row for row in rows if row)}{figures_table(job.figures)}{code}</div>"


def session_html(session: Session) -> str:
    """Draw a session: its title and a table of its jobs."""
    head = f"<b>{escape(session.title)}</b> <code>{escape(str(session.path))}</code>"
    rows = [
        f"<tr><td>{escape(row.name)}</td><td>{escape(row.step)}</td><td>{badge(row.state)}</td>"
        f"<td>{escape(row.workspace)}</td><td>{escape(row.error)}</td></tr>"
        for row in session.project.queue.jobs()
    ]
    return f"<div>{head}<table>{''.join(rows)}</table></div>"
