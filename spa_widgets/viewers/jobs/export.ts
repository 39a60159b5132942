/** An export: what shall stay out, then how far it is, where the archive is and how large, or why there is none. */
import { progressBar } from "../kit/controls.ts";
import { h, save } from "../kit/dom.ts";
import type { Frame, Translate } from "../kit/frame.ts";
import { bytes } from "../kit/link.ts";
import { size } from "./row.ts";

export interface Exporting { state?: "running" | "done" | "failed" | "cancelled"; jobs: string[]; done?: number; total?: number; path?: string; bytes?: number; count?: number; lacks?: number; not_finished?: string[]; can_download?: boolean; error?: string }

/** What is said of an export: it stays the same while it goes on, so that a screen reader says it once. */
export function told(t: Translate, now: Exporting): string {
  if (now.state === "running") return now.jobs.length ? t("exporting_jobs", { names: now.jobs.join(", ") }) : t("exporting_all");
  if (now.state === "cancelled") return t("export_cancelled");
  if (now.state === "failed") return now.error ?? "";
  if (now.state !== "done") return "";
  return [
    t("exported", { count: now.count ?? 0, size: size(now.bytes ?? 0), path: now.path ?? "" }),
    now.not_finished?.length ? t("export_not_finished", { names: now.not_finished.join(", ") }) : "",
    now.lacks ? t("export_lacks", { count: now.lacks }) : "",
  ].filter(Boolean).join(" ");
}

export class ExportView {
  private text = h("span", { role: "status", "aria-live": "polite", style: "overflow-wrap: anywhere; user-select: text" });
  private bar;
  private cancel: HTMLElement;
  private download: HTMLElement;
  private write: HTMLElement;
  private choice: HTMLElement;
  private asked: string | null = null; // the job that is to be exported, or "" for all: what to leave out is being chosen
  readonly element = h("div", { class: "spa-detail spa-form-foot", "data-export": "" });

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.bar = progressBar(t("export"));
    this.cancel = h("button", { onclick: () => frame.guard(link.ask("cancel_export")) }, t("cancel"));
    this.download = h("button", { onclick: () => frame.guard(this.fetch()) }, `⤓ ${t("download")}`);
    this.write = h("button", { onclick: () => this.start(), "data-act": "write" }, t("export_write"));
    const close = h("button", { onclick: () => this.choose(null) }, t("close"));
    this.choice = h("div", { class: "spa-bar", role: "group", "aria-label": t("export"), onkeydown: (event: KeyboardEvent) => this.key(event) }, this.tick("without_micrographs"), this.tick("without_stacks"), this.write, close);
    this.element.append(this.text, this.bar.element, this.cancel, this.download, this.choice);
    link.watch(["exporting"], () => this.paint(link.get<Exporting>("exporting") ?? { jobs: [] }));
  }

  /** Ask what shall stay out of the archive of a job with all that leads to it, or of everything; null to ask no more. */
  choose(name: string | null): void {
    const { link } = this.frame;
    this.asked = name;
    this.paint(link.get<Exporting>("exporting") ?? { jobs: [] });
    if (name !== null) this.write.focus();
    else if (this.element.contains(document.activeElement)) this.frame.root.focus();
  }

  private start(): void {
    const { frame, asked } = this;
    this.choose(null);
    frame.guard(frame.link.ask("export", { name: asked ?? "" }));
  }

  private key(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.choose(null);
  }

  private tick(trait: "without_micrographs" | "without_stacks"): HTMLElement {
    const { t, link } = this.frame;
    const box = h("input", { type: "checkbox", onchange: () => link.set(trait, box.checked) });
    link.watch([trait], () => { box.checked = link.get<boolean>(trait) ?? false; });
    return h("label", { class: "spa-check", title: t(`${trait}_help`) }, box, t(trait));
  }

  private async fetch(): Promise<void> {
    const { content, buffers } = await this.frame.link.ask<{ name: string }>("exported");
    save(new Blob([bytes(buffers[0])]), content.name);
  }

  private paint(shown: Exporting): void {
    const { t } = this.frame;
    const isRunning = shown.state === "running";
    const isAsking = this.asked !== null && !isRunning;
    const now: Exporting = isAsking ? { jobs: [] } : shown;
    const text = isAsking ? (this.asked ? t("export_what", { name: this.asked }) : t("export_what_all")) : told(t, now);
    if (this.text.textContent !== text) this.text.textContent = text;
    this.text.className = now.state === "failed" ? "spa-problem" : "";
    const [done, total] = [now.done ?? 0, now.total ?? 0];
    this.bar.set(total ? done / total : 0, `${size(done)} / ${size(total)}`);
    for (const [part, isShown] of [[this.bar.element, isRunning], [this.cancel, isRunning], [this.download, now.state === "done" && now.can_download], [this.choice, isAsking]] as const) part.style.display = isShown ? "" : "none";
    this.element.style.display = now.state || isAsking ? "" : "none";
    this.element.dataset.export = isAsking ? "asking" : now.state ?? "";
  }
}
