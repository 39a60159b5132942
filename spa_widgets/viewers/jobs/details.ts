/** An open job: pictures as they come, FSC so far, figures, files, log, and what can be done with it. */
import { h, niceTicks, s, save } from "../kit/dom.ts";
import type { Frame } from "../kit/frame.ts";
import { bytes } from "../kit/link.ts";
import { type FigureRow, hasEnded, size, wordsOf } from "./row.ts";

export interface Details { name: string; status: string; code: string; error: string; warnings: string[]; figures: FigureRow[]; pictures: { name: string; caption: string; time: number }[]; curve: { x: number[]; y: number[] } | null; log: [number, string][]; stage: string; device: string; files: { file: string; kind: string; bytes: number }[]; folder: string; can_resume: boolean }

/** A small FSC curve with the 0.143 line; the x axis is labelled in Å. */
export function smallCurve({ x, y }: { x: number[]; y: number[] }, label: string): SVGElement {
  const [width, height, left, bottom] = [250, 130, 30, 20];
  const most = x[x.length - 1] || 1;
  const px = (value: number): number => left + (value / most) * (width - left - 8);
  const py = (value: number): number => 6 + (1 - Math.min(1, Math.max(0, value))) * (height - bottom - 6);
  const points = x.map((value, index) => (Number.isFinite(y[index]) ? `${px(value).toFixed(1)},${py(y[index]).toFixed(1)}` : "")).filter(Boolean);
  const svg = s("svg", { width, height, class: "spa-chart", style: "width: auto; height: auto", role: "img", "aria-label": label });
  for (const tick of [0, 0.5, 1]) svg.append(s("line", { class: "spa-grid", x1: left, x2: width - 8, y1: py(tick), y2: py(tick) }), s("text", { x: left - 5, y: py(tick) + 4, "text-anchor": "end" }, String(tick)));
  for (const tick of niceTicks(0, most, 4).filter((value) => value > 0)) svg.append(s("text", { x: Math.min(px(tick), width - 18), y: height - 5, "text-anchor": "middle" }, `${(1 / tick).toPrecision(2)} Å`)); // the last one is not cut off
  svg.append(s("line", { x1: left, x2: width - 8, y1: py(0.143), y2: py(0.143), stroke: "var(--spa-warn)", "stroke-dasharray": "3 3" }),
    s("polyline", { points: points.join(" "), fill: "none", stroke: "var(--spa-accent)", "stroke-width": 1.8 }));
  return svg;
}

export class DetailView {
  readonly element = h("div", { class: "spa-detail", role: "region", style: "display: none" });
  private pictures = new Map<string, { time: number; image: HTMLImageElement }>();
  private shown = "";
  private parts = { actions: h("div", { class: "spa-form-foot" }), facts: h("div", { class: "spa-facts" }), notes: h("div"), files: h("div"), log: h("details"), code: h("div", { class: "spa-code", style: "margin-top: 8px; white-space: pre-wrap" }) };
  private drawn = new Map<HTMLElement, string>();

  constructor(private frame: Frame, private exportJob: (name: string) => void) {
    const { actions, facts, notes, files, log, code } = this.parts;
    this.element.append(actions, notes, facts, files, log, code);
    frame.onClose(() => this.forget());
  }

  private forget(): void {
    for (const { image } of this.pictures.values()) if (image.src) URL.revokeObjectURL(image.src);
    this.pictures.clear();
  }

  paint(details: Details | undefined, selected: string): void {
    const open = Boolean(selected && details?.name === selected);
    this.element.style.display = open ? "" : "none";
    if (!open || !details) return;
    if (this.shown !== selected) { this.forget(); this.drawn.clear(); this.shown = selected; }
    this.element.setAttribute("aria-label", details.name);
    const { t } = this.frame;
    const { actions, facts, notes, files, log, code } = this.parts;
    this.fill(actions, [details.status, details.stage, details.device], () => this.actions(details));
    this.fill(notes, [details.warnings, details.error], () => [
      ...details.warnings.map((text) => h("div", { style: "color: var(--spa-warn)" }, `⚠ ${text}`)),
      details.error ? h("div", { class: "spa-problem", role: "alert" }, details.error) : ""]);
    this.fill(facts, [details.figures, details.pictures, details.curve], () => this.facts(details));
    this.fill(files, details.files, () => this.files(details));
    const isNew = this.fill(log, details.log, () => [h("summary", {}, `${t("log")} (${details.log.length})`), h("div", { class: "spa-code spa-log", tabIndex: 0 }, details.log.map(([time, text]) => `${new Date(time * 1000).toLocaleTimeString()}  ${text}`).join("\n"))]);
    const lines = log.querySelector(".spa-log");
    if (lines && isNew) lines.scrollTop = lines.scrollHeight;
    log.style.display = details.log.length ? "" : "none";
    code.textContent = details.code;
  }

  /** Draw a part anew only when what it shows has changed, so that focus and scrolling stay. */
  private fill(part: HTMLElement, data: unknown, draw: () => (Node | string)[]): boolean {
    const now = JSON.stringify(data);
    if (this.drawn.get(part) === now) return false;
    this.drawn.set(part, now);
    part.replaceChildren(...draw());
    return true;
  }

  private actions(details: Details): (Node | string)[] {
    const { t, link, guard, say } = this.frame;
    const name = details.name;
    const act = (what: string, then?: (content: any) => void) => () => guard.call(this.frame, link.ask(what, { name }).then(({ content }) => then?.(content)));
    return [
      hasEnded(details.status) ? "" : h("button", { onclick: act("cancel"), "data-act": "cancel" }, t("cancel")),
      details.can_resume ? h("button", { class: "spa-primary", onclick: act("resume", () => say.call(this.frame, t("resumed", { job: name }))), "data-act": "resume" }, t("resume")) : "",
      h("button", { onclick: act("edit"), title: t("clone_help"), "data-act": "edit" }, t("clone")),
      details.status === "finished" ? h("button", { onclick: () => this.exportJob(name), title: t("export_job_help"), "data-act": "export" }, t("export_job")) : "",
      details.stage && !hasEnded(details.status) ? h("span", {}, `${t("stage")}: ${details.stage}`) : "",
      details.device ? h("span", { class: "spa-dim" }, `${t("device")}: ${details.device}`) : "",
    ];
  }

  private facts(details: Details): (Node | string)[] {
    const { t, language } = this.frame;
    const figures = details.figures.map((each) => h("tr", {}, h("td", {}, wordsOf(each, language)), h("td", {}, each.text)));
    return [
      ...details.pictures.map((picture) => this.picture(details.name, picture)),
      details.curve ? h("figure", { class: "spa-figure" }, smallCurve(details.curve, t("fsc_so_far")), h("figcaption", { class: "spa-dim" }, t("fsc_so_far"))) : "",
      figures.length ? h("div", { class: "spa-figures", tabIndex: 0, role: "group", "aria-label": t("figures") }, h("table", { class: "spa-table" }, h("tbody", {}, ...figures))) : "",
    ];
  }

  private picture(job: string, picture: Details["pictures"][number]): HTMLElement {
    let kept = this.pictures.get(picture.name);
    if (!kept) this.pictures.set(picture.name, (kept = { time: -1, image: h("img") }));
    const { image } = kept;
    image.alt = picture.caption || picture.name;
    if (kept.time !== picture.time) {
      kept.time = picture.time;
      this.frame.guard(this.frame.link.ask<{ mime: string }>("picture", { name: job, picture: picture.name }).then(({ content, buffers }) => {
        const old = image.src;
        image.src = URL.createObjectURL(new Blob([bytes(buffers[0])], { type: content.mime }));
        if (old) URL.revokeObjectURL(old);
      }));
    }
    return h("figure", { class: "spa-figure" }, image, h("figcaption", { class: "spa-dim" }, picture.caption || picture.name));
  }

  private files(details: Details): (Node | string)[] {
    if (!details.files.length) return [];
    const { t } = this.frame;
    const download = (file: string): void => this.frame.guard(this.frame.link.ask<{ name: string }>("file", { name: details.name, file }).then(({ content, buffers }) => save(new Blob([bytes(buffers[0])]), content.name)));
    const all = details.files.reduce((sum, file) => sum + file.bytes, 0);
    return [h("details", {}, h("summary", {}, t("files_summary", { count: details.files.length, size: size(all) })),
      h("div", { class: "spa-files" }, ...details.files.map(({ file, kind, bytes: count }) => h("button", { onclick: () => download(file), title: kind ? `${t("download")}: ${kind}` : t("download"), "data-file": file }, `⤓ ${file} `, h("span", { class: "spa-dim" }, size(count))))),
      h("div", { class: "spa-dim", style: "overflow-wrap: anywhere; user-select: text" }, details.folder))];
  }
}
