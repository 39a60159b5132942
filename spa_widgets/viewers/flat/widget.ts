/** ImageViewer: the view. One 8-bit picture at a time, circles for the points, a slider through the stack. */
import type { RenderProps } from "@anywidget/types";
import { ImageCanvas, Mark } from "../kit/canvas.ts";
import { slider, type Slider } from "../kit/controls.ts";
import { clamp, h, throttle } from "../kit/dom.ts";
import { Frame } from "../kit/frame.ts";
import { decodePicture, floats } from "../kit/link.ts";

interface Info { name: string; width: number; height: number; mime: string; pixel_size_A: number }
interface Layer { name: string; visible: boolean }
const KINDS = [Mark.Plain, Mark.Suggested, Mark.Chosen]; // of the first, second … layer of points
const PAN_CSS = 40;

class FlatView {
  private canvas: ImageCanvas;
  private asking = false;
  private again = false;
  private list = h("div", { class: "spa-slider" });
  private text = h("span", { class: "spa-num", role: "status" });

  constructor(private frame: Frame) {
    const { t, link } = frame;
    this.canvas = new ImageCanvas({}, t("image_viewer"));
    this.canvas.element.append(this.canvas.tools({ zoomIn: t("zoom_in"), zoomOut: t("zoom_out"), fit: t("fit") }));
    const bar = h("div", { class: "spa-bar" }, h("span", { class: "spa-title" }, t("image_viewer")), ...this.stack(), ...this.greys(),
      h("span", { class: "spa-grow" }), frame.ends());
    frame.root.append(bar, h("div", { class: "spa-body", style: "height: 520px" }, this.canvas.element), h("div", { class: "spa-bar spa-foot" }, this.list, h("span", { class: "spa-grow" }), this.text));
    frame.onClose(() => this.canvas.destroy());
    link.watch(["shown"], () => this.layers());
    link.watch(["current", "contrast", "low_pass_A", "version"], () => frame.guard(this.show()));
    this.keys();
  }

  private stack(): HTMLElement[] {
    const { t, link } = this.frame;
    const count = link.get<number>("count");
    if (count < 2) return [];
    const number = slider({ label: t("picture_number"), min: 1, max: count, step: 1, value: link.get<number>("current") + 1, input: throttle((value) => this.go(value - 1), 40) });
    link.watch(["current"], () => number.set(link.get<number>("current") + 1));
    return [number.element];
  }

  private greys(): HTMLElement[] {
    const { t, link } = this.frame;
    const [min, max] = link.get<number[]>("span");
    const ends: Slider[] = ["black", "white"].map((name, place) => slider({
      label: t(name), min, max, step: (max - min) / 200, value: link.get<number[]>("contrast")[place], input: throttle((value) => this.grey(place, value), 60),
    }));
    link.watch(["contrast"], () => ends.forEach((end, place) => end.set(link.get<number[]>("contrast")[place])));
    const low = slider({ label: t("low_pass"), unit: "Å", min: 0, max: 60, step: 1, value: link.get("low_pass_A"), help: t("low_pass_help"), input: throttle((value) => link.set("low_pass_A", value), 60) });
    link.watch(["low_pass_A"], () => low.set(link.get("low_pass_A")));
    return [...ends.map((end) => end.element), low.element];
  }

  /** Black stays below white. */
  private grey(place: number, value: number): void {
    const contrast = [...this.frame.link.get<number[]>("contrast")];
    contrast[place] = value;
    if (contrast[0] < contrast[1]) this.frame.link.set("contrast", contrast);
  }

  private layers(): void {
    const { t, link } = this.frame;
    this.list.replaceChildren(...link.get<Layer[]>("shown").map(({ name, visible }) => {
      const box = h("input", { type: "checkbox", checked: visible, "aria-label": `${t("show")} ${name}`, onchange: () => this.frame.guard(link.ask("visible", { name, visible: box.checked })) });
      return h("label", { class: "spa-check" }, box, name);
    }));
  }

  /** One question at a time; only the latest wish counts. */
  private async show(): Promise<void> {
    this.again = true;
    if (this.asking) return;
    this.asking = true;
    try {
      while (this.again) {
        this.again = false;
        await this.fetch();
      }
    } finally {
      this.asking = false;
    }
  }

  private async fetch(): Promise<void> {
    const { link, t } = this.frame;
    const index = link.get<number>("current");
    const [picture, points] = await Promise.all([
      link.ask<Info>("picture", { index, contrast: link.get("contrast"), low_pass_A: link.get("low_pass_A") }),
      link.ask<{ radius_px: number }>("points", { index }),
    ]);
    const { name, width, height, mime, pixel_size_A } = picture.content;
    const triples = floats(points.buffers[0]);
    for (let at = 2; at < triples.length; at += 3) triples[at] = KINDS[triples[at] % KINDS.length];
    this.canvas.pixelSize_A = pixel_size_A;
    this.canvas.radius_px = points.content.radius_px;
    this.canvas.setPicture(await decodePicture(picture.buffers[0], mime), width, height);
    this.canvas.setMarks(triples);
    const told = t("picture_text", { name, number: index + 1, count: link.get("count") }) + (triples.length ? t("picture_points", { points: triples.length / 3 }) : "");
    this.text.textContent = told;
    this.canvas.element.setAttribute("aria-label", told);
    Object.assign(this.frame.root.dataset, { shown: String(index), points: String(triples.length / 3), version: String(link.get("version")) });
  }

  private go(index: number): void {
    const { link } = this.frame;
    link.set("current", clamp(index, 0, link.get<number>("count") - 1));
  }

  private keys(): void {
    const { t, link } = this.frame;
    const step = (by: number) => () => this.go(link.get<number>("current") + by);
    const pan = (dx: number, dy: number) => () => this.canvas.panBy(dx * PAN_CSS, dy * PAN_CSS);
    this.frame.addKeys([
      { keys: [t("wheel"), t("pinch")], label: t("key_wheel") },
      { keys: ["ArrowRight", "PageDown"], label: t("key_picture"), act: step(1) },
      { keys: ["ArrowLeft", "PageUp"], label: t("key_picture"), act: step(-1) },
      { keys: ["Home"], label: t("key_ends"), act: () => this.go(0) },
      { keys: ["End"], label: t("key_ends"), act: () => this.go(link.get<number>("count") - 1) },
      { keys: ["w"], label: t("key_pan"), act: pan(0, 1) },
      { keys: ["a"], label: t("key_pan"), act: pan(1, 0) },
      { keys: ["s"], label: t("key_pan"), act: pan(0, -1) },
      { keys: ["d"], label: t("key_pan"), act: pan(-1, 0) },
      { keys: ["+", "="], label: t("zoom_in"), act: () => this.canvas.zoomBy(1.3) },
      { keys: ["-"], label: t("zoom_out"), act: () => this.canvas.zoomBy(1 / 1.3) },
      { keys: ["0", "f"], label: t("fit"), act: () => this.canvas.fit() },
    ]);
  }
}

function render({ model, el }: RenderProps): () => void {
  const frame = new Frame(model, el, "image_viewer");
  frame.whenReady(() => new FlatView(frame));
  return frame.close;
}

export default { render };
