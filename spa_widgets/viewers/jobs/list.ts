/** Jobs as rows: state, progress, time left, what they are doing. */
import { progressBar, type Bar } from "../kit/controls.ts";
import { h } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import { duration, hasEnded, INK, select, SIGN, size, standing, startsIn, titleOf, type Row } from "./row.ts";

interface Known { element: HTMLElement; state: HTMLElement; bar: Bar; note: HTMLElement; cancel: HTMLElement; disk: HTMLElement; news: HTMLElement }

export class JobList {
  readonly element = h("div", { class: "spa-jobs", role: "list" });
  private known = new Map<string, Known>();

  constructor(private frame: Frame, private single: boolean) {}

  paint(rows: Row[]): void {
    const elements = rows.map((row) => this.row(row));
    const same = elements.length === this.element.childElementCount && elements.every((element, place) => this.element.children[place] === element);
    if (!same) this.element.replaceChildren(...elements);
    this.mark();
  }

  mark(): void {
    const selected = this.frame.link.get<string>("selected");
    for (const [name, { element }] of this.known) element.setAttribute("aria-current", String(name === selected && !this.single));
  }

  focus(name: string): void {
    this.known.get(name)?.element.focus();
  }

  private row(row: Row): HTMLElement {
    const { t } = this.frame;
    const known = this.known.get(row.name) ?? this.make(row);
    const ended = hasEnded(row.status);
    known.element.dataset.status = row.status;
    known.state.textContent = `${SIGN[row.status] ?? ""} ${t(row.status)}`;
    known.state.style.color = INK[row.status];
    const seconds = row.seconds;
    const waits = row.status === "queued" && row.position;
    const running = row.eta_s === null ? (seconds === null ? "" : duration(seconds)) : t("left", { time: duration(row.eta_s) });
    const time = ended ? (seconds === null ? (row.origin ? "" : t("reused")) : t("took", { time: duration(seconds) })) : row.status === "running" ? running : waits ? startsIn(t, row.expected_wait_s) : "";
    (known.bar.element.firstElementChild as HTMLElement).style.display = ended || waits ? "none" : ""; // a full or empty bar says nothing that the sign does not
    known.bar.set(row.progress, time, row.status === "finished" ? "done" : row.status === "failed" ? "failed" : "");
    const from = row.parents.length ? t("from", { names: row.parents.join(", ") }) : "";
    const origin = row.origin === "you" ? "" : standing(t, row); // that it was computed here is nothing new
    const note = row.error || row.message || [from, origin].filter(Boolean).join(" · ");
    known.note.textContent = note;
    known.note.title = note;
    known.cancel.style.display = ended ? "none" : "";
    known.disk.textContent = ended && row.bytes ? size(row.bytes) : "";
    known.news.style.display = row.is_news ? "" : "none";
    return known.element;
  }

  private make(row: Row): Known {
    const { t, link, guard } = this.frame;
    const open = (): void => select(this.frame, row.name);
    const title = titleOf(row, this.frame.language);
    const known: Known = {
      bar: progressBar(`${row.name} ${title}`),
      state: h("span", { style: "font-weight: 600; white-space: nowrap" }),
      note: h("span", { class: "spa-dim spa-job-note" }),
      disk: h("span", { class: "spa-dim spa-num" }),
      news: h("span", { class: "spa-news", title: t("news") }, ` ${t("new")}`),
      cancel: h("button", { onclick: (event: Event) => { event.stopPropagation(); guard.call(this.frame, link.ask("cancel", { name: row.name })); } }, t("cancel")),
      element: h("div", { class: "spa-row spa-job", role: "listitem", tabIndex: 0, "data-job": row.name, onclick: open,
        onkeydown: (event: KeyboardEvent) => { if (event.target === event.currentTarget && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); event.stopPropagation(); open(); } } }),
    };
    known.element.append(h("b", {}, row.name), h("span", { class: "spa-name", title: row.parents.length ? t("from", { names: row.parents.join(", ") }) : "" }, title, known.news), known.state, known.bar.element, known.note, known.disk, known.cancel);
    this.known.set(row.name, known);
    return known;
  }
}
