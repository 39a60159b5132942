/** FSCPlot: the view. Python makes the figures; plotly, sent once for the page, draws them at the width of the cell. */
import type { RenderProps } from "@anywidget/types";
import { type Slider, slider } from "../../viewers/kit/controls.ts";
import { h, throttle } from "../../viewers/kit/dom.ts";
import { Frame } from "../../viewers/kit/frame.ts";
import { chooseLanguage } from "../../viewers/kit/i18n.ts";
import { bytes } from "../../viewers/kit/link.ts";
import { plotly } from "./plotly.ts";

interface Row { job: string; curve: string; colour: string; resolution: string; half: string; interval: string }
interface Drawn { figure: { data: object[]; layout: object }; text: string; rows: Row[]; warning: string }
const SLIDERS = ["mask_threshold", "dilation_A", "soft_edge_A"] as const;
const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], toImageButtonOptions: { format: "svg", filename: "fsc" } };

/** Do one thing at a time; of what is asked meanwhile only the latest is done. */
export function latestOnly<A>(work: (argument: A) => Promise<void>): (argument: A) => void {
  let busy = false;
  let next: { argument: A } | undefined;
  const run = async (argument: A): Promise<void> => {
    busy = true;
    try { await work(argument); } finally {
      busy = false;
      const waiting = next;
      next = undefined;
      if (waiting) void run(waiting.argument);
    }
  };
  return (argument) => { if (busy) next = { argument }; else void run(argument); };
}

class FscView {
  private plot: HTMLElement;
  private table = h("tbody");
  private caption = h("div", { class: "spa-dim", role: "status", style: "padding: 2px 14px 8px" });
  private warning = h("div", { role: "alert", style: "color: var(--spa-warn); padding: 0 14px 10px; font-weight: 600" });
  private picture = h("img", { style: "width: 100%; display: block; border-radius: 6px; background: #16181b; image-rendering: auto" });
  private which = h("span", { class: "spa-dim" });
  private sliders: Record<string, Slider> = {};
  private reset: HTMLButtonElement;
  private isBusy = false;
  private isMissed = false;
  private redraw = latestOnly<void>(() => this.draw().catch((error: Error) => { if (error.message !== "closed") this.frame.say(error.message, true); }));
  private sendMask = latestOnly<Record<string, number>>(async (args) => {
    this.busy(true);
    try { await this.frame.link.ask("mask", args); } catch (error) { if ((error as Error).message !== "closed") this.frame.say((error as Error).message, true); } finally { this.busy(false); }
  });

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.plot = h("div", { role: "group", "aria-label": t("fsc"), style: `height: ${link.get("height")}px; width: 100%; min-width: 0` });
    this.reset = h("button", { onclick: () => frame.guard(link.ask("reset")) }, t("reset"));
    const main = h("div", { style: "flex: 1 1 460px; min-width: 0; padding-top: 6px" }, this.plot, this.caption, this.warning);
    frame.root.append(this.bar(), h("div", { class: "spa-body", style: "flex-wrap: wrap" }, main, this.side()));
    link.watch(["revision"], () => { this.redraw(); frame.guard(this.sections()); });
    link.watch(["tab"], () => this.redraw());
    link.watch(["own_mask"], () => { this.which.textContent = t(link.get("own_mask") ? "fsc_mask_tried" : "fsc_mask_own"); this.reset.disabled = !link.get("own_mask"); });
    link.watch([...SLIDERS], () => { for (const name of SLIDERS) this.sliders[name]?.set(link.get(name)); });
    const look = new MutationObserver(() => this.redraw()); // the frame marks a dark page on its root
    look.observe(frame.root, { attributes: true, attributeFilter: ["class"] });
    const size = new ResizeObserver(throttle(() => this.resized(), 120));
    size.observe(main);
    frame.onClose(() => { look.disconnect(); size.disconnect(); void plotly(link).then((library) => library.purge(this.plot)).catch(() => undefined); });
  }

  private resized(): void {
    if (!this.plot.isConnected) return;
    if (this.isMissed) this.redraw();
    else void plotly(this.frame.link).then((library) => library.Plots.resize(this.plot)).catch(() => undefined);
  }

  private bar(): HTMLElement {
    const { t, link } = this.frame;
    const tabs = h("div", { role: "tablist", style: "display: flex; gap: 6px" });
    const names = link.get<string[]>("tabs");
    names.forEach((name, place) => tabs.append(h("button", { role: "tab", "data-tab": name, onclick: () => link.set("tab", name) }, t(name))));
    link.watch(["tab"], () => tabs.querySelectorAll("button").forEach((button) => {
      const chosen = button.dataset.tab === link.get("tab");
      button.classList.toggle("spa-on", chosen);
      button.setAttribute("aria-selected", String(chosen));
    }));
    const step = (by: number) => () => link.set("tab", names[(names.indexOf(link.get("tab")) + by + names.length) % names.length]);
    this.frame.addKeys([
      { keys: ["n", "PageDown"], label: t("next"), act: step(1) },
      { keys: ["p", "PageUp"], label: t("previous"), act: step(-1) },
    ]);
    return h("div", { class: "spa-bar" }, tabs, h("span", { class: "spa-grow" }), this.frame.ends());
  }

  private side(): HTMLElement {
    const { t, link } = this.frame;
    const heads = [t("fsc_curve"), String(link.get("threshold")), t("fsc_interval"), "0.5"].map((text) => h("th", { style: "cursor: default" }, text));
    const table = h("table", { class: "spa-table", "aria-label": t("fsc") }, h("thead", {}, h("tr", {}, ...heads)), this.table);
    const side = h("div", { style: "flex: 0 1 350px; min-width: 270px; border-left: 1px solid var(--spa-line); padding: 10px 14px; display: flex; flex-direction: column; gap: 10px" }, table);
    if (!link.get("can_mask")) {
      side.append(h("div", { class: "spa-dim" }, t("fsc_no_halves")), this.picture);
      return side;
    }
    const make = (name: (typeof SLIDERS)[number], label: string, unit: string, min: number, max: number, step: number, help?: string): HTMLElement => {
      this.sliders[name] = slider({ label, unit, min, max, step, value: link.get(name), help, input: throttle(() => this.moved(), 60), change: () => this.moved() });
      const { element } = this.sliders[name];
      element.style.cssText = "display: grid; grid-template-columns: 92px 1fr 58px 14px";
      (element.querySelector("input[type=range]") as HTMLElement).style.width = "100%";
      return element;
    };
    side.append(
      h("div", { style: "display: flex; align-items: center; gap: 8px" }, h("b", {}, t("fsc_mask")), this.which, h("span", { class: "spa-grow" }), this.reset),
      make("mask_threshold", t("mask_threshold"), "", 0.02, 0.95, 0.01, t("mask_threshold_help")),
      make("dilation_A", t("dilation"), "Å", 0, 40, 0.5),
      make("soft_edge_A", t("soft_edge"), "Å", 0, 40, 0.5),
      this.picture, h("div", { class: "spa-dim", style: "font-size: 11.5px" }, t("fsc_mask_help")));
    return side;
  }

  private moved(): void {
    const [threshold, dilation_A, soft_edge_A] = SLIDERS.map((name) => this.sliders[name].get());
    this.sendMask({ threshold, dilation_A, soft_edge_A });
  }

  private busy(is: boolean): void {
    this.isBusy = is;
    this.plot.style.opacity = is ? "0.6" : "1";
    this.frame.root.dataset.busy = String(this.isBusy);
  }

  private async draw(): Promise<void> {
    const { link, root } = this.frame;
    const tab = link.get<string>("tab");
    const [library, { content }] = await Promise.all([
      plotly(link), link.ask<Drawn>("figure", { tab, language: chooseLanguage(link.get("language") ?? "auto"), dark: root.classList.contains("spa-dark") }),
    ]);
    this.isMissed = !root.isConnected; // a notebook takes cells out of the page while they are out of sight
    if (this.isMissed) return;
    await library.react(this.plot, content.figure.data, content.figure.layout, CONFIG);
    this.plot.setAttribute("aria-label", content.text);
    this.caption.textContent = content.text;
    this.warning.textContent = content.warning;
    this.fill(content.rows);
    root.dataset.shown = tab;
    root.dataset.revision = String(link.get("revision"));
  }

  private fill(rows: Row[]): void {
    let job = "";
    this.table.replaceChildren(...rows.flatMap((row) => {
      const head = row.job !== job ? [h("tr", {}, h("td", { colspan: 4, style: "text-align: left; font-weight: 600" }, (job = row.job)))] : [];
      const swatch = h("span", { "aria-hidden": "true", style: `display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 7px; background: ${row.colour}` });
      return [...head, h("tr", {}, h("td", {}, swatch, row.curve), h("td", {}, row.resolution), h("td", { class: "spa-dim" }, row.interval), h("td", { class: "spa-dim" }, row.half))];
    }));
  }

  private async sections(): Promise<void> {
    const { content, buffers } = await this.frame.link.ask<{ mime: string }>("sections");
    if (!buffers.length) { this.picture.style.display = "none"; return; }
    const old = this.picture.src;
    this.picture.src = URL.createObjectURL(new Blob([bytes(buffers[0])], { type: content.mime }));
    this.picture.alt = this.frame.t("fsc_sections");
    this.picture.style.display = "block";
    if (old) URL.revokeObjectURL(old);
  }
}

function render({ model, el }: RenderProps<any>): () => void {
  const frame = new Frame(model, el, "fsc");
  frame.whenReady(() => new FscView(frame));
  return frame.close;
}

export default { render };
