/** The picture of a micrograph and its filters: what is shown before the kernel has answered, and what is asked for ahead. */
import type { ImageCanvas } from "./canvas.ts";
import { slider } from "./controls.ts";
import { h, throttle } from "./dom.ts";
import type { Frame } from "./frame.ts";
import { bytes } from "./link.ts";
import { LatestOf } from "./latest.ts";

export interface MicrographInfo { index: number; name: string; width: number; height: number; mime: string; pixel_size_A: number; sigma: number }
interface Kept { info: MicrographInfo; blob: Blob }
const FILTERS = ["low_pass_A", "high_pass_A", "denoise"] as const;
const KEPT_PICTURES = 8;
const AHEAD_MS = 120; // the next micrograph is asked for when the present one has been looked at so long

/** Keeps a canvas showing micrograph `current` with its filters and contrast; `shown` hears of each new picture. */
export class MicrographPicture {
  private kept = new LatestOf<Kept>(KEPT_PICTURES);
  private asking = false;
  private again = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = -1;
  info: MicrographInfo | null = null;

  constructor(private frame: Frame, private canvas: ImageCanvas, private shown: () => void, private standIn: (index: number) => Promise<ImageBitmap | null>) {
    const { link } = frame;
    link.watch(["sigma"], () => this.contrast());
    link.watch(["current", ...FILTERS], () => frame.guard(this.show()));
    frame.onClose(() => clearTimeout(this.timer));
  }

  /** The question for a micrograph as it is wanted now: the kernel may hear of a filter later than of the question. */
  private question(index: number): Record<string, unknown> {
    return { index, ...Object.fromEntries(FILTERS.map((name) => [name, this.frame.link.get(name)])) };
  }

  private has(index: number): boolean {
    return this.kept.get(JSON.stringify(this.question(index))) !== undefined;
  }

  private async show(): Promise<void> {
    if (this.asking) { this.again = true; return; } // one question at a time; only the latest wish counts
    this.asking = true;
    clearTimeout(this.timer);
    try {
      do {
        this.again = false;
        const index = this.frame.link.get<number>("current");
        if (!this.has(index) && index !== this.info?.index) await this.showStandIn(index);
        const found = await this.fetch(index);
        if (index === this.frame.link.get("current")) await this.put(found);
      } while (this.again);
    } finally {
      this.asking = false;
    }
    this.lookAhead();
  }

  private async fetch(index: number): Promise<Kept> {
    const question = this.question(index);
    const key = JSON.stringify(question);
    const known = this.kept.get(key);
    if (known) return known;
    const { content, buffers } = await this.frame.link.ask<MicrographInfo>("image", question);
    const found = { info: content, blob: new Blob([bytes(buffers[0])], { type: content.mime }) };
    this.kept.set(key, found);
    return found;
  }

  private async put({ info, blob }: Kept): Promise<void> {
    const bitmap = await createImageBitmap(blob);
    this.info = info;
    this.canvas.pixelSize_A = info.pixel_size_A;
    this.contrast();
    this.canvas.setPicture(bitmap, info.width, info.height);
    this.canvas.element.dataset.shown = info.name;
    this.shown();
  }

  /** The thumbnail, large: something to look at until the picture is there. */
  private async showStandIn(index: number): Promise<void> {
    const bitmap = this.info && (await this.standIn(index));
    if (bitmap) this.canvas.setPicture(bitmap, this.info!.width, this.info!.height);
  }

  /** Ask for the micrograph that is probably looked at next, in the direction in which the person goes. */
  private lookAhead(): void {
    const { link } = this.frame;
    const index = link.get<number>("current");
    const next = index < this.last ? index - 1 : index + 1;
    this.last = index;
    if (next < 0 || next >= link.get<unknown[]>("micrographs").length || this.has(next)) return;
    this.timer = setTimeout(() => void this.fetch(next).catch(() => undefined), AHEAD_MS);
  }

  private contrast(): void {
    this.canvas.gain = (this.info?.sigma ?? 5) / this.frame.link.get<number>("sigma");
    this.canvas.draw();
  }

  /** Sliders and buttons for filters and contrast. */
  controls(): HTMLElement[] {
    const { t, link } = this.frame;
    const filter = (name: string, label: string, max: number, step: number, help: string): HTMLElement => {
      const made = slider({ label: t(label), unit: "Å", min: 0, max, step, value: link.get(name), help: t(help), change: (v) => link.set(name, v), input: throttle((v) => link.set(name, v), 250) });
      link.watch([name], () => made.set(link.get(name)));
      return made.element;
    };
    const sigma = slider({ label: t("contrast"), unit: "σ", min: 0.5, max: 6, step: 0.1, value: link.get("sigma"), input: throttle((v) => link.set("sigma", v), 40) });
    link.watch(["sigma"], () => sigma.set(link.get("sigma")));
    return [
      filter("low_pass_A", "low_pass", 60, 1, "low_pass_help"), filter("high_pass_A", "high_pass", 1000, 20, "high_pass_help"), sigma.element,
      this.toggle("◐", "invert", () => { this.canvas.invert = !this.canvas.invert; this.canvas.draw(); return this.canvas.invert; }),
      this.denoiseButton(),
    ];
  }

  private denoiseButton(): HTMLElement {
    const { t, link } = this.frame;
    const button = this.toggle(t("denoise"), "denoise_help", () => { link.set("denoise", !link.get("denoise")); return link.get("denoise"); });
    link.watch(["denoise"], () => press(button, Boolean(link.get("denoise"))));
    return button;
  }

  private toggle(text: string, label: string, act: () => boolean): HTMLElement {
    const { t } = this.frame;
    const button = h("button", { class: "spa-icon", title: t(label), "aria-label": text.length > 1 ? text : t(label), "aria-pressed": "false", onclick: () => press(button, act()) }, text);
    return button;
  }
}

function press(button: HTMLElement, on: boolean): void {
  button.classList.toggle("spa-on", on);
  button.setAttribute("aria-pressed", String(on));
}
