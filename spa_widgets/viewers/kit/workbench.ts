/** A micrograph to work on: list, picture with circles, filters, going from one to the next. The picker and the inspector build on it. */
import { ImageCanvas, type Gestures } from "./canvas.ts";
import { slider } from "./controls.ts";
import { h, throttle } from "./dom.ts";
import type { Frame } from "./frame.ts";
import { MicrographList } from "./micrographList.ts";
import { MicrographPicture } from "./micrographs.ts";

export interface WorkbenchOptions { title: string; gestures?: Gestures; countText?: (index: number) => string; shown: () => void }

export class Workbench {
  readonly canvas: ImageCanvas;
  readonly list: MicrographList;
  readonly picture: MicrographPicture;
  readonly hint = h("div", { class: "spa-hint", "aria-hidden": "true" });
  readonly bar: HTMLElement;

  constructor(private frame: Frame, options: WorkbenchOptions) {
    const { t } = frame;
    this.canvas = new ImageCanvas(options.gestures ?? {}, t("micrograph"));
    this.canvas.element.append(this.hint, this.canvas.tools({ zoomIn: t("zoom_in"), zoomOut: t("zoom_out"), fit: t("fit") }));
    this.list = new MicrographList(frame, (index) => this.go(index), options.countText);
    this.picture = new MicrographPicture(frame, this.canvas, () => { options.shown(); this.list.begin(); }, (index) => this.list.copyOf(index));
    this.bar = h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t(options.title)), ...this.picture.controls(), this.diameter(options.shown),
      h("span", { class: "spa-grow" }), frame.ends());
    frame.onClose(() => this.canvas.destroy());
  }

  private diameter(changed: () => void): HTMLElement {
    const { t, link } = this.frame;
    const size = slider({ label: t("diameter"), unit: "Å", min: 20, max: 500, step: 2, value: link.get("diameter_A"), input: throttle((v) => link.set("diameter_A", v), 60) });
    link.watch(["diameter_A"], () => { size.set(link.get("diameter_A")); if (this.picture.info) changed(); });
    return size.element;
  }

  /** Radius of the circles in pixels of the micrograph. */
  radius_px(): number {
    const { info } = this.picture;
    return info ? this.frame.link.get<number>("diameter_A") / 2 / (info.pixel_size_A || 1) : 20;
  }

  setMarks(triples: Float32Array): void {
    this.canvas.radius_px = this.radius_px();
    this.canvas.setMarks(triples);
  }

  /** What is on the picture, for people who cannot see it. */
  describe(text: string): void {
    const { info } = this.picture;
    if (info) this.canvas.element.setAttribute("aria-label", `${this.frame.t("micrograph")} ${info.name}: ${text}`);
  }

  go(index: number): void {
    const last = this.frame.link.get<unknown[]>("micrographs").length - 1;
    this.frame.link.set("current", Math.min(Math.max(index, 0), last));
  }

  step(by: number): void {
    this.go(this.frame.link.get<number>("current") + by);
  }

  /** Keys for going on, zoom and the view; call it after the widget's own. */
  addKeys(): void {
    const { t, link } = this.frame;
    this.frame.addKeys([
      { keys: [t("wheel"), t("pinch")], label: t("key_wheel") },
      { keys: ["n", "PageDown"], label: t("key_next"), act: () => this.step(1) },
      { keys: ["p", "PageUp"], label: t("key_next"), act: () => this.step(-1) },
      { keys: ["+", "="], label: t("zoom_in"), act: () => this.canvas.zoomBy(1.3) },
      { keys: ["-"], label: t("zoom_out"), act: () => this.canvas.zoomBy(1 / 1.3) },
      { keys: ["0", "f"], label: t("fit"), act: () => this.canvas.fit() },
      { keys: ["d"], label: t("denoise_help"), act: () => link.set("denoise", !link.get("denoise")) },
    ]);
  }
}
