/** An export as it goes: how far, where the archive is and how large, or why there is none. */
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
  readonly element = h("div", { class: "spa-detail spa-form-foot", "data-export": "" });

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.bar = progressBar(t("export"));
    this.cancel = h("button", { onclick: () => frame.guard(link.ask("cancel_export")) }, t("cancel"));
    this.download = h("button", { onclick: () => frame.guard(this.fetch()) }, `⤓ ${t("download")}`);
    this.element.append(this.text, this.bar.element, this.cancel, this.download);
    link.watch(["exporting"], () => this.paint(link.get<Exporting>("exporting") ?? { jobs: [] }));
  }

  /** Export a job with all that leads to it, or everything. */
  start(name = ""): void {
    this.frame.guard(this.frame.link.ask("export", { name }));
  }

  private async fetch(): Promise<void> {
    const { content, buffers } = await this.frame.link.ask<{ name: string }>("exported");
    save(new Blob([bytes(buffers[0])]), content.name);
  }

  private paint(now: Exporting): void {
    const text = told(this.frame.t, now);
    if (this.text.textContent !== text) this.text.textContent = text;
    this.text.className = now.state === "failed" ? "spa-problem" : "";
    const [done, total] = [now.done ?? 0, now.total ?? 0];
    this.bar.set(total ? done / total : 0, `${size(done)} / ${size(total)}`);
    const isRunning = now.state === "running";
    for (const [part, isShown] of [[this.bar.element, isRunning], [this.cancel, isRunning], [this.download, now.state === "done" && now.can_download]] as const) part.style.display = isShown ? "" : "none";
    this.element.style.display = now.state ? "" : "none";
    this.element.dataset.export = now.state ?? "";
  }
}
