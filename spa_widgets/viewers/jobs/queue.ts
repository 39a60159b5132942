/** The queue of an engine service as everybody sees it: what runs and waits, whose it is, and when it starts. */
import { h } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import { startsIn, titleOf } from "./row.ts";

interface Entry { title: string; title_ja: string; users: string[]; is_mine: boolean; expected_wait_s: number | null }
export interface ClassQueue { is_alive?: boolean; running?: Entry[]; waiting?: Entry[]; more?: number }

export class QueueView {
  private summary = h("summary");
  private body = h("tbody");
  readonly element = h("details", { class: "spa-detail", "data-queue": "" }, this.summary, h("table", { class: "spa-table" }, this.body));

  constructor(private frame: Frame) {
    frame.link.watch(["queue"], () => this.paint(frame.link.get<ClassQueue>("queue") ?? {}));
  }

  private paint({ is_alive: isAlive, running = [], waiting = [], more = 0 }: ClassQueue): void {
    const { t } = this.frame;
    this.element.style.display = isAlive === undefined ? "none" : "";
    this.summary.textContent = isAlive === false ? t("class_engine_off") : t("class_queue", { running: running.length, waiting: waiting.length + more });
    this.body.replaceChildren(
      ...running.map((entry) => this.row(entry, "▶", t("running"))),
      ...waiting.map((entry, place) => this.row(entry, String(place + 1), startsIn(t, entry.expected_wait_s))),
      ...(more ? [h("tr", {}, h("td"), h("td", { colSpan: 3 }, t("more_waiting", { count: more })))] : []),
    );
  }

  private row(entry: Entry, place: string, when: string): HTMLElement {
    const words = [place, titleOf(entry, this.frame.language), entry.users.join(", "), when];
    return h("tr", { style: entry.is_mine ? "font-weight: 600" : "" }, ...words.map((text) => h("td", { style: "text-align: start" }, text)));
  }
}
